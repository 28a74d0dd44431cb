// Leases: many are granted, each holding one key, kept alive for a while and then left to expire. Measures how late, and
// whether ever too early, their keys go.
package main

import (
	"context"
	"flag"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

var (
	leaseCount = flag.Int("leases", 100000, "lease: how many")
	leaseTTL   = flag.Int64("ttl", 30, "lease: time to live, seconds")
)

type leaseResult struct {
	Granted         int64   `json:"granted"`
	GrantsPerSecond float64 `json:"grantsPerSecond"`
	KeptPerSecond   float64 `json:"keptPerSecond"`
	Expired         int64   `json:"expired"`
	Early           int64   `json:"early"`
	LateP50Ms       float64 `json:"lateP50Ms"`
	LateP99Ms       float64 `json:"lateP99Ms"`
	LateMaxMs       float64 `json:"lateMaxMs"`
	FirstError      string  `json:"firstError,omitempty"`
}

func runLeases(addresses []string) error {
	clients, err := connect(addresses, *connections)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var firstError atomic.Value
	each := func(work func(index int64) error) float64 {
		var next int64
		var workers sync.WaitGroup
		begin := time.Now()
		for w := 0; w < *inFlight; w++ {
			workers.Add(1)
			go func() {
				defer workers.Done()
				for index := atomic.AddInt64(&next, 1) - 1; index < int64(*leaseCount); index = atomic.AddInt64(&next, 1) - 1 {
					if err := work(index); err != nil {
						firstError.CompareAndSwap(nil, err.Error())
					}
				}
			}()
		}
		workers.Wait()
		return float64(*leaseCount) / time.Since(begin).Seconds()
	}

	ids := make([]clientv3.LeaseID, *leaseCount)
	// When the last answer came that promised this lease another full time to live.
	promised := make([]int64, *leaseCount)
	grants := each(func(index int64) error {
		client := clients[index%int64(len(clients))]
		granted, err := client.Grant(ctx, *leaseTTL)
		if err != nil {
			return err
		}
		ids[index] = granted.ID
		atomic.StoreInt64(&promised[index], time.Now().UnixNano())
		_, err = client.Put(ctx, keyOf(index), "", clientv3.WithLease(granted.ID))
		return err
	})
	kept := each(func(index int64) error {
		_, err := clients[index%int64(len(clients))].KeepAliveOnce(ctx, ids[index])
		if err == nil {
			atomic.StoreInt64(&promised[index], time.Now().UnixNano())
		}
		return err
	})

	var expired, early int64
	var late []float64
	channel := clients[0].Watch(ctx, *prefix, clientv3.WithPrefix(), clientv3.WithFilterPut())
	patience := time.After(time.Duration(*leaseTTL)*time.Second + *timeout)
collect:
	for expired < int64(*leaseCount) {
		select {
		case response, ok := <-channel:
			if !ok {
				break collect
			}
			now := time.Now().UnixNano()
			for _, event := range response.Events {
				var index int64
				if _, err := fmt.Sscanf(string(event.Kv.Key[len(*prefix):]), "%d", &index); err != nil {
					return err
				}
				lateMs := float64(now-atomic.LoadInt64(&promised[index]))/1e6 - float64(*leaseTTL)*1000
				// What was promised is counted from the server's word, which was on its way for a moment.
				if lateMs < -50 {
					early++
				}
				late = append(late, lateMs)
				expired++
			}
		case <-patience:
			break collect
		}
	}
	sort.Float64s(late)
	at := func(p float64) float64 {
		if len(late) == 0 {
			return 0
		}
		return late[int(p*float64(len(late)-1))]
	}
	text, _ := firstError.Load().(string)
	return show(leaseResult{int64(*leaseCount), grants, kept, expired, early, at(0.5), at(0.99), at(1), text})
}
