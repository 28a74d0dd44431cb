// Drives a server of etcd's API by the official Go client and its recipes (session, mutex, election), and prints what it
// saw, one line a step, in such a way that the lines are the same on every server.
//
// Build: GO111MODULE=off GOPATH=/usr/share/gocode go build -o client client.go
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func main() {
	client, err := clientv3.New(clientv3.Config{Endpoints: os.Args[1:], DialTimeout: 5 * time.Second})
	check(err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()

	put, err := client.Put(ctx, "go/a", "1")
	check(err)
	begin := put.Header.Revision
	for _, key := range []string{"go/b", "go/c", "go/a"} {
		_, err = client.Put(ctx, key, "v-"+key)
		check(err)
	}
	get, err := client.Get(ctx, "go/", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend))
	check(err)
	for _, kv := range get.Kvs {
		fmt.Println("get", string(kv.Key), string(kv.Value), kv.CreateRevision-begin, kv.ModRevision-begin, kv.Version)
	}
	old, err := client.Get(ctx, "go/a", clientv3.WithRev(begin))
	check(err)
	fmt.Println("old", string(old.Kvs[0].Value), old.Count, old.Header.Revision-begin)
	_, err = client.Get(ctx, "go/a", clientv3.WithRev(begin+1000))
	fmt.Println("future", err)
	_, err = client.Put(ctx, "", "x")
	fmt.Println("empty", err)

	txn, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision("go/bb"), "=", 0), clientv3.Compare(clientv3.Value("go/b"), "=", "v-go/b")).
		Then(clientv3.OpPut("go/bb", "2"), clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpGet("go/bb"), clientv3.OpDelete("go/c", clientv3.WithPrevKV())}, nil)).
		Else(clientv3.OpGet("go/b")).
		Commit()
	check(err)
	nested := txn.Responses[1].GetResponseTxn().Responses
	fmt.Println("txn", txn.Succeeded, string(nested[0].GetResponseRange().Kvs[0].Value), string(nested[1].GetResponseDeleteRange().PrevKvs[0].Value))

	watch := client.Watch(ctx, "go/", clientv3.WithPrefix(), clientv3.WithRev(begin), clientv3.WithPrevKV())
	for events := 0; events < 6; {
		response := <-watch
		check(response.Err())
		for _, event := range response.Events {
			previous := "-"
			if event.PrevKv != nil {
				previous = string(event.PrevKv.Value)
			}
			fmt.Println("event", event.Type, string(event.Kv.Key), string(event.Kv.Value), event.Kv.ModRevision-begin, previous)
			events++
		}
	}

	lease, err := client.Grant(ctx, 30)
	check(err)
	_, err = client.Put(ctx, "go/leased", "x", clientv3.WithLease(lease.ID))
	check(err)
	alive, err := client.KeepAlive(ctx, lease.ID)
	check(err)
	fmt.Println("kept alive", (<-alive).TTL)
	left, err := client.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys())
	check(err)
	fmt.Println("lease", left.GrantedTTL, left.TTL > 25, string(left.Keys[0]))
	_, err = client.Revoke(ctx, lease.ID)
	check(err)
	get, err = client.Get(ctx, "go/leased")
	check(err)
	fmt.Println("revoked", get.Count)
	_, err = client.Put(ctx, "go/x", "x", clientv3.WithLease(4711))
	fmt.Println("no lease", err)

	first, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	check(err)
	second, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	check(err)
	held := concurrency.NewMutex(first, "/go-lock/")
	check(held.Lock(ctx))
	acquired := make(chan error)
	go func() { acquired <- concurrency.NewMutex(second, "/go-lock/").Lock(ctx) }()
	select {
	case <-acquired:
		fmt.Println("lock: two hold it")
	case <-time.After(300 * time.Millisecond):
		fmt.Println("lock: the second one waits")
	}
	check(held.Unlock(ctx))
	check(<-acquired)
	fmt.Println("lock: the second one has it")

	one, two := concurrency.NewElection(first, "/go-election/"), concurrency.NewElection(second, "/go-election/")
	check(one.Campaign(ctx, "one"))
	campaign := make(chan error)
	go func() { campaign <- two.Campaign(ctx, "two") }()
	leader, err := one.Leader(ctx)
	check(err)
	fmt.Println("leader", string(leader.Kvs[0].Value))
	// The session ends: its lease is revoked, and the other one leads.
	check(first.Close())
	check(<-campaign)
	leader, err = two.Leader(ctx)
	check(err)
	fmt.Println("leader", string(leader.Kvs[0].Value))
	check(second.Close())

	stm, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
		stm.Put("go/stm", stm.Get("go/a")+"!")
		return nil
	})
	check(err)
	fmt.Println("stm", stm.Succeeded)
	_, err = client.Compact(ctx, begin+2)
	check(err)
	_, err = client.Get(ctx, "go/a", clientv3.WithRev(begin))
	fmt.Println("compacted", err)
	gone := <-client.Watch(ctx, "go/a", clientv3.WithRev(begin))
	fmt.Println("watch compacted", gone.Err(), gone.CompactRevision-begin)
	members, err := client.MemberList(ctx)
	check(err)
	fmt.Println("members", len(members.Members) > 0)
	deleted, err := client.Delete(ctx, "go/", clientv3.WithPrefix())
	check(err)
	fmt.Println("deleted", deleted.Deleted)
}
