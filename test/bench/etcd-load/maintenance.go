// Upkeep of a store while requests go on (flag -during): history compacted, or files defragmented.

package main

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const maintenanceTimeout = 10 * time.Minute

// Does what -during says from beginning to end; tells how long it took.
func maintain(addresses []string) (time.Duration, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: addresses, DialTimeout: 5 * time.Second})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), maintenanceTimeout)
	defer cancel()
	began := time.Now()
	switch *during {
	case "compact":
		err = compactAll(ctx, client)
	case "defragment":
		err = defragmentAll(ctx, client, addresses)
	default:
		err = fmt.Errorf("unknown maintenance %q", *during)
	}
	return time.Since(began), err
}

// To the revision of now, and until what nobody needs any more is gone.
func compactAll(ctx context.Context, client *clientv3.Client) error {
	now, err := client.Get(ctx, *prefix)
	if err != nil {
		return err
	}
	_, err = client.Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical())
	return err
}

// One member after the other.
func defragmentAll(ctx context.Context, client *clientv3.Client, addresses []string) error {
	for _, address := range addresses {
		if _, err := client.Defragment(ctx, address); err != nil {
			return fmt.Errorf("%s: %v", address, err)
		}
	}
	return nil
}
