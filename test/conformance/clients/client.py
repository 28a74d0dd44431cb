"""Drives a server of etcd's API by the Python client library, and prints what it saw, one line a step.

Called with host and port. What differs from server to server (ids, revisions before the first write) is not printed, so
that the same script gives the same lines on etcd and on zabtree.
"""
import sys
import threading

import etcd3

host, port = sys.argv[1], int(sys.argv[2])
client = etcd3.client(host=host, port=port, timeout=10)


def show(what, *values):
    print(what, *values, flush=True)


client.put("py/a", "1")
client.put("py/b", "2")
client.put("py/c", b"\x00\xff")
value, meta = client.get("py/a")
show("get", value, meta.key, meta.version)
show("missing", client.get("py/none"))
show("prefix", [(v, m.key) for v, m in client.get_prefix("py/")])
show("descending", [m.key for _, m in client.get_prefix("py/", sort_order="descend", sort_target="key")])
show("range", [m.key for _, m in client.get_range("py/a", "py/c")])
show("keys only", [(v, m.key) for v, m in client.get_prefix("py/", keys_only=True)])
show("previous", client.put("py/a", "3", prev_kv=True).prev_kv.value)
show("delete", client.delete("py/b"), client.delete("py/b"))
show("put if absent", client.put_if_not_exists("py/b", "4"), client.put_if_not_exists("py/b", "5"))
show("replace", client.replace("py/b", "4", "6"), client.replace("py/b", "4", "7"))

succeeded, answers = client.transaction(
    compare=[client.transactions.value("py/b") == "6", client.transactions.version("py/b") > 0],
    success=[client.transactions.put("py/d", "8"), client.transactions.get("py/d")],
    failure=[client.transactions.get("py/b")],
)
show("transaction", succeeded, [[(v, m.key) for v, m in a] if isinstance(a, list) else "put" for a in answers])
succeeded, answers = client.transaction(
    compare=[client.transactions.mod("py/none") != 0],
    success=[],
    failure=[client.transactions.delete("py/d"), client.transactions.get("py/d")],
)
show("else", succeeded, len(answers))

events = []
seen = threading.Event()


def watched(response):
    for event in response.events:
        events.append((type(event).__name__, event.key, event.value))
    if len(events) >= 4:
        seen.set()


watch = client.add_watch_prefix_callback("py/w/", watched)
client.put("py/w/1", "a")
client.put("py/w/2", "b")
client.delete("py/w/1")
client.put("py/other", "c")
client.put("py/w/3", "d")
show("watch", seen.wait(20), events)
client.cancel_watch(watch)

lease = client.lease(60)
client.put("py/leased", "e", lease=lease)
show("lease", lease.granted_ttl, 0 < lease.remaining_ttl <= 60, lease.keys)
show("refreshed", [answer.TTL for answer in lease.refresh()])
lease.revoke()
show("revoked", client.get("py/leased"))
short = client.lease(2)
gone = threading.Event()
watch = client.add_watch_callback("py/short", lambda r: gone.set() if "Delete" in type(r.events[-1]).__name__ else None)
client.put("py/short", "f", lease=short)
show("expired", gone.wait(30), client.get("py/short"))
client.cancel_watch(watch)

lock = client.lock("py-lock", ttl=20)
show("lock", lock.acquire(timeout=10), lock.is_acquired())
show("unlock", lock.release(), lock.is_acquired())

revision = client.get("py/a")[1].mod_revision
client.compact(revision)
try:
    list(client.watch("py/a", start_revision=1)[0])
    show("compacted", "no error")
except Exception as error:  # what matters is its kind
    show("compacted", type(error).__name__)
show("members", len(list(client.members)) > 0, client.status().version.startswith("3."))
show("alarms", list(client.list_alarms()))
show("hash", isinstance(client.hash(), int))
client.defragment()
show("delete prefix", client.delete_prefix("py/").deleted)
client.close()
