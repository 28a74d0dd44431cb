// Load generator for etcd, built on the official Go client library (Debian: golang-etcd-server-dev), with a second, raw
// engine in raw.go. It keeps a fixed number of requests outstanding for a fixed time, or until a fixed number was
// answered, and prints one JSON object. It is used only by `npm run bench:compare` and `npm run bench:etcd`; it never
// judges, it only measures. What is no closed loop of requests (watch, lease, range), and what is done to the store beside
// one, is in files of its own.
//
// Build: GO111MODULE=off GOPATH=/usr/share/gocode go build -o etcd-load main.go raw.go watch.go lease.go maintenance.go
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

type result struct {
	Operations      int64   `json:"operations"`
	Errors          int64   `json:"errors"`
	FirstError      string  `json:"firstError,omitempty"`
	Seconds         float64 `json:"seconds"`
	PerSecond       float64 `json:"perSecond"`
	LongestGapMs    float64 `json:"longestGapMs"`
	P50Milliseconds float64 `json:"p50Ms"`
	P99Milliseconds float64 `json:"p99Ms"`
	// How long what was done to the store meanwhile took.
	MaintenanceSeconds float64 `json:"maintenanceSeconds,omitempty"`
}

var (
	endpoints   = flag.String("endpoints", "127.0.0.1:2379", "comma-separated client addresses")
	connections = flag.Int("connections", 3, "connections, spread over the endpoints")
	inFlight    = flag.Int("in-flight", 1000, "requests outstanding in all")
	operation   = flag.String("operation", "put", "put, get (linearizable), get-local (serializable), compare-and-put, fill (put in transactions of 100), watch, lease or range")
	random      = flag.Bool("random", false, "keys drawn at random from 0..keys-1 instead of one after another")
	keys        = flag.Int64("keys", 1<<40, "size of the key range")
	valueBytes  = flag.Int("value-size", 256, "bytes of a value")
	warmup      = flag.Duration("warmup", 2*time.Second, "not counted")
	duration    = flag.Duration("duration", 10*time.Second, "counted")
	total       = flag.Int64("total", 0, "stop after this many requests instead of after the duration")
	engine      = flag.String("engine", "client", "client (the official library) or raw (frames by hand, far cheaper)")
	timeout     = flag.Duration("timeout", 5*time.Second, "for each request")
	prefix      = flag.String("prefix", "bench/", "prefix of every key")
	during      = flag.String("during", "", "done to the store from the end of the warm-up on: compact (physically, to the revision of now) or defragment (every member); it is counted until both that and the duration are over")
)

func keyOf(number int64) string { return fmt.Sprintf("%s%012d", *prefix, number) }

// Values differ from request to request in their first bytes, so that nothing on the way can share them.
func valueOf(buffer []byte, number int64) string {
	copy(buffer, fmt.Sprintf("%016d", number))
	return string(buffer)
}

// Reads nothing first: the revision that the last write of this worker's key was told is what the next one expects.
func compareAndPut(ctx context.Context, client *clientv3.Client, key, value string) error {
	expected := int64(0)
	if known, ok := revisions.Load(key); ok {
		expected = known.(int64)
	}
	answer, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", expected)).
		Then(clientv3.OpPut(key, value)).
		Else(clientv3.OpGet(key)).
		Commit()
	if err != nil {
		return err
	}
	if answer.Succeeded {
		revisions.Store(key, answer.Header.Revision)
		return nil
	}
	// Somebody else was first: the next attempt expects what there is now.
	found := answer.Responses[0].GetResponseRange().Kvs
	if len(found) > 0 {
		revisions.Store(key, found[0].ModRevision)
	} else {
		revisions.Delete(key)
	}
	return nil
}

var revisions sync.Map

func perform(client *clientv3.Client, number int64, draw *rand.Rand, buffer []byte) error {
	target := number
	if *random {
		target = draw.Int63n(*keys)
	} else {
		target = number % *keys
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	switch *operation {
	case "put":
		_, err := client.Put(ctx, keyOf(target), valueOf(buffer, number))
		return err
	case "get":
		_, err := client.Get(ctx, keyOf(target))
		return err
	case "get-local":
		_, err := client.Get(ctx, keyOf(target), clientv3.WithSerializable())
		return err
	case "compare-and-put":
		return compareAndPut(ctx, client, keyOf(target), valueOf(buffer, number))
	case "fill":
		operations := make([]clientv3.Op, 0, 100)
		for i := number * 100; i < (number+1)*100 && i < *keys; i++ {
			operations = append(operations, clientv3.OpPut(keyOf(i), valueOf(buffer, i)))
		}
		_, err := client.Txn(ctx).Then(operations...).Commit()
		return err
	}
	return fmt.Errorf("unknown operation %q", *operation)
}

// What one engine measured.
type measured struct {
	samples    []int32
	failed     int64
	firstError string
	longestGap time.Duration
	seconds    float64
	maintained time.Duration
}

func runRaw(addresses []string) (measured, error) {
	var next int64
	var stopping int32
	countFrom := time.Now().Add(*warmup)
	all := make([]*rawConnection, *connections)
	for i := range all {
		c, err := openRaw(addresses[i%len(addresses)], int64(i)+1, countFrom)
		if err != nil {
			return measured{}, err
		}
		all[i] = c
	}
	failures := make(chan error, len(all))
	for i, c := range all {
		outstanding := *inFlight / len(all)
		if i < *inFlight%len(all) {
			outstanding++
		}
		go func(c *rawConnection) { failures <- c.run(outstanding, &next, countFrom, &stopping) }(c)
	}
	select {
	case err := <-failures:
		return measured{}, fmt.Errorf("a connection ended: %v", err)
	case <-time.After(*warmup + *duration):
	}
	atomic.StoreInt32(&stopping, 1)
	for _, c := range all {
		c.socket.Close()
	}
	out := measured{seconds: duration.Seconds()}
	for range all {
		<-failures
	}
	for _, c := range all {
		out.samples = append(out.samples, c.samples...)
		out.failed += c.failed
		if out.firstError == "" {
			out.firstError = c.firstError
		}
		if c.longestGap > out.longestGap {
			out.longestGap = c.longestGap
		}
	}
	return out, nil
}

func runClient(addresses []string) (measured, error) {
	clients := make([]*clientv3.Client, *connections)
	for i := range clients {
		client, err := clientv3.New(clientv3.Config{
			Endpoints:   []string{addresses[i%len(addresses)]},
			DialTimeout: 5 * time.Second,
		})
		if err != nil {
			return measured{}, err
		}
		defer client.Close()
		clients[i] = client
	}

	var next, failed int64
	var firstError atomic.Value
	var stopping int32
	var gapMutex sync.Mutex
	var longestGap time.Duration
	begin := time.Now()
	countFrom := begin.Add(*warmup)
	if *total > 0 {
		countFrom = begin
	}
	lastSuccess := countFrom
	succeeded := func(at time.Time) {
		gapMutex.Lock()
		if gap := at.Sub(lastSuccess); gap > longestGap {
			longestGap = gap
		}
		if at.After(lastSuccess) {
			lastSuccess = at
		}
		gapMutex.Unlock()
	}
	latencies := make([][]int32, *inFlight)
	var workers sync.WaitGroup
	for w := 0; w < *inFlight; w++ {
		workers.Add(1)
		go func(w int) {
			defer workers.Done()
			client := clients[w%len(clients)]
			draw := rand.New(rand.NewSource(int64(w) + 1))
			buffer := []byte(strings.Repeat("v", *valueBytes))
			samples := make([]int32, 0, 4096)
			for atomic.LoadInt32(&stopping) == 0 {
				number := atomic.AddInt64(&next, 1) - 1
				if *total > 0 && number >= *total {
					break
				}
				started := time.Now()
				err := perform(client, number, draw, buffer)
				ended := time.Now()
				if err != nil {
					atomic.AddInt64(&failed, 1)
					firstError.CompareAndSwap(nil, err.Error())
				} else if !ended.Before(countFrom) && atomic.LoadInt32(&stopping) == 0 {
					succeeded(ended)
					samples = append(samples, int32(ended.Sub(started)/time.Microsecond))
				}
			}
			latencies[w] = samples
		}(w)
	}
	seconds := duration.Seconds()
	var maintained time.Duration
	if *total == 0 {
		time.Sleep(*warmup)
		rest := *duration
		if *during != "" {
			var err error
			if maintained, err = maintain(addresses); err != nil {
				return measured{}, err
			}
			// What it has held up is answered after its end.
			if rest -= time.Since(countFrom); rest < time.Second {
				rest = time.Second
			}
		}
		time.Sleep(rest)
		atomic.StoreInt32(&stopping, 1)
		stopped := time.Now()
		seconds = stopped.Sub(countFrom).Seconds()
		// Whatever is held up even now counts as well.
		succeeded(stopped)
	}
	workers.Wait()
	if *total > 0 {
		seconds = time.Since(begin).Seconds()
	}

	out := measured{failed: failed, longestGap: longestGap, seconds: seconds, maintained: maintained}
	for _, samples := range latencies {
		out.samples = append(out.samples, samples...)
	}
	if text, ok := firstError.Load().(string); ok {
		out.firstError = text
	}
	return out, nil
}

func main() {
	flag.Parse()
	addresses := strings.Split(*endpoints, ",")
	if special := specialOperations[*operation]; special != nil {
		if err := special(addresses); err != nil {
			fmt.Fprintln(os.Stderr, "Cannot load:", err)
			os.Exit(1)
		}
		return
	}
	run := runClient
	if *engine == "raw" {
		run = runRaw
	}
	seen, err := run(addresses)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Cannot load etcd:", err)
		os.Exit(1)
	}
	all := seen.samples
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	percentile := func(p float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(p*float64(len(all)-1))]) / 1000
	}
	encoded, _ := json.Marshal(result{
		Operations:      int64(len(all)),
		Errors:          seen.failed,
		FirstError:      seen.firstError,
		Seconds:         seen.seconds,
		PerSecond:       float64(len(all)) / seen.seconds,
		LongestGapMs:    float64(seen.longestGap) / float64(time.Millisecond),
		P50Milliseconds: percentile(0.50),
		P99Milliseconds: percentile(0.99),

		MaintenanceSeconds: seen.maintained.Seconds(),
	})
	fmt.Println(string(encoded))
	if len(all) == 0 {
		os.Exit(1)
	}
}
