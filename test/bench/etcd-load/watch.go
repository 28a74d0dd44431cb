// Watches: many on disjoint keys and some on the whole prefix, over several streams, while keys are written at a fixed
// rate. Counts what is delivered, in which order and how late. Also one large range read.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

var (
	watchers       = flag.Int("watchers", 10000, "watch: watchers of one key each")
	prefixWatchers = flag.Int("prefix-watchers", 100, "watch: watchers of the whole prefix")
	streams        = flag.Int("streams", 100, "watch: streams that the watchers are spread over")
	rate           = flag.Int("rate", 1000, "watch: writes a second")
)

var specialOperations = map[string]func([]string) error{
	"watch": runWatch,
	"lease": runLeases,
	"range": runRange,
}

func connect(addresses []string, count int) ([]*clientv3.Client, error) {
	clients := make([]*clientv3.Client, count)
	for i := range clients {
		client, err := clientv3.New(clientv3.Config{
			Endpoints:   []string{addresses[i%len(addresses)]},
			DialTimeout: 10 * time.Second,
		})
		if err != nil {
			return nil, err
		}
		clients[i] = client
	}
	return clients, nil
}

type watchResult struct {
	Writes       int64   `json:"writes"`
	WritesFailed int64   `json:"writesFailed"`
	Delivered    int64   `json:"delivered"`
	Expected     int64   `json:"expected"`
	OutOfOrder   int64   `json:"outOfOrder"`
	P50Ms        float64 `json:"p50Ms"`
	P99Ms        float64 `json:"p99Ms"`
}

func runWatch(addresses []string) error {
	clients, err := connect(addresses, *streams)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var delivered, outOfOrder int64
	var samplesMutex sync.Mutex
	var samples []float64
	follow := func(channel clientv3.WatchChan, sampled bool) {
		last := int64(0)
		for response := range channel {
			now := time.Now().UnixNano()
			for _, event := range response.Events {
				if event.Kv.ModRevision <= last {
					atomic.AddInt64(&outOfOrder, 1)
				}
				last = event.Kv.ModRevision
				var sent int64
				if _, err := fmt.Sscanf(string(event.Kv.Value[:20]), "%d", &sent); err == nil && sampled {
					samplesMutex.Lock()
					samples = append(samples, float64(now-sent)/1e6)
					samplesMutex.Unlock()
				}
			}
			atomic.AddInt64(&delivered, int64(len(response.Events)))
		}
	}
	var opened sync.WaitGroup
	open := func(client *clientv3.Client, key string, sampled bool, options ...clientv3.OpOption) {
		opened.Add(1)
		go func() {
			// Progress is told at the creation too, so that a watcher is known to be there.
			channel := client.Watch(ctx, key, append(options, clientv3.WithCreatedNotify())...)
			<-channel
			opened.Done()
			follow(channel, sampled)
		}()
	}
	for i := 0; i < *watchers; i++ {
		open(clients[i%len(clients)], keyOf(int64(i)), i%10 == 0)
	}
	for i := 0; i < *prefixWatchers; i++ {
		open(clients[i%len(clients)], *prefix, i == 0, clientv3.WithPrefix())
	}
	opened.Wait()

	var writes, failed int64
	var under sync.WaitGroup
	filler := make([]byte, *valueBytes)
	for i := range filler {
		filler[i] = 'v'
	}
	period := time.Second / time.Duration(*rate)
	begin := time.Now()
	for number := int64(0); time.Since(begin) < *duration; number++ {
		time.Sleep(time.Until(begin.Add(time.Duration(number) * period)))
		under.Add(1)
		go func(number int64) {
			defer under.Done()
			value := append([]byte(fmt.Sprintf("%020d", time.Now().UnixNano())), filler[20:]...)
			_, err := clients[number%int64(len(clients))].Put(ctx, keyOf(number%int64(*watchers)), string(value))
			if err != nil {
				atomic.AddInt64(&failed, 1)
				return
			}
			atomic.AddInt64(&writes, 1)
		}(number)
	}
	under.Wait()
	expected := writes * int64(1+*prefixWatchers)
	for deadline := time.Now().Add(30 * time.Second); atomic.LoadInt64(&delivered) < expected && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	samplesMutex.Lock()
	defer samplesMutex.Unlock()
	sort.Float64s(samples)
	at := func(p float64) float64 {
		if len(samples) == 0 {
			return 0
		}
		return samples[int(p*float64(len(samples)-1))]
	}
	return show(watchResult{writes, failed, atomic.LoadInt64(&delivered), expected, outOfOrder, at(0.5), at(0.99)})
}

type rangeResult struct {
	Keys    int     `json:"keys"`
	Bytes   int     `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// One answer with every key of the prefix.
func runRange(addresses []string) error {
	clients, err := connect(addresses[:1], 1)
	if err != nil {
		return err
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	answer, err := clients[0].Get(ctx, *prefix, clientv3.WithPrefix(), clientv3.WithLimit(*total))
	if err != nil {
		return err
	}
	bytes := 0
	for _, kv := range answer.Kvs {
		bytes += len(kv.Key) + len(kv.Value)
	}
	return show(rangeResult{len(answer.Kvs), bytes, time.Since(begin).Seconds()})
}

func show(value interface{}) error {
	encoded, err := json.Marshal(value)
	if err == nil {
		fmt.Println(string(encoded))
	}
	return err
}
