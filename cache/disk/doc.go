// Package disk is the store on a local disk, shared by any number of processes.
//
// It deliberately does not know what is worth keeping, nor what results mean. Its nouns in the order in which they appear: the
// log of records (record.go, log.go), the index that finds them (index.go) and the table of those it does not cover (table.go),
// blobs in the log or as files (blob.go), results (result.go), key locks (lock.go), witnesses (witness.go), leases (lease.go), pins
// and projects (pin.go), and the collection of garbage (collect.go: what is dear; choose.go: what goes; compact.go: how).
//
// Layout, format 2:
//
//	format            "mbuild store 2\n"; a program that does not know the number refuses the store
//	log               append-only records: small blobs, results, and notes about large blobs
//	index             where the records are; may be missing, or behind
//	losses            a byte for each tombstone that the log got
//	blobs/ab/<hex>    one read-only file for each blob of 64 KiB or more, named by its SHA-256
//	tmp/live-<n>      locked by a process as long as it lives, and says who it is: {"pid","host","work"}; tmp/live-<n>.d is its own,
//	                  and a leftover when it does not live
//	leases/lease-<n>  likewise; what the process has in use (lease.go)
//	locks             an empty file whose offsets are locked: those below 1 << 62 for keys that are being worked on (as many bytes as the
//	                  number of the process, so that others know who it is), that one by plans (shared) and the collection of
//	                  garbage; the whole of it while pins, projects or size are changed
//	pins, projects    a JSON document a line: {"key","digest","label"}, {"dir","time"}
//	size              what the store was counted to take on the disk, and what was added since: 8 bytes and their CRC-32C
//
// A log record is a header of 56 bytes and a payload, integers little-endian:
//
//	 0  "MBR1"
//	 4  type: 1 blob, 2 result, 3 file (a note that blobs/ holds it), 4 lost (a tombstone), 5 head, 6 use (of a result or a blob)
//	 5  when it was written, or known to be used: hours since 1970 (3 bytes), 0 is unknown
//	 8  size of the blob, or of the preimage of a result's key (8 bytes)
//	16  sum of the blob, or of the key; of a head, a random id (32 bytes)
//	48  length of the payload (4 bytes), at most 16 MiB
//	52  CRC-32C of bytes 0 to 51 and of the payload (4 bytes)
//
// The payload of a blob is its bytes; of a result, its encoding (package cache, codec.go); of a file, mtime in nanoseconds, inode
// and boot (8 bytes each); of a tombstone and a use, nothing. The last record of a sum wins. The head begins the log and tells it
// from others; its payload says where leases begin in it that were taken on an earlier log: the lease's name with its length in
// front (1 byte), and the offset (8 bytes), for each. Format 1 had neither head nor boot, and results in JSON: it is read, and becomes format 2 when it is opened.
//
// Writers append whole records under flock, in one write. A process that dies in the middle of it leaves a torn record, which
// readers skip: a record that does not check out is passed over to the next one that does. So garbage anywhere in the log
// costs the records it hits and nothing else. Readers take no lock; they look for what others have appended when something is
// not there and they have not looked for a millisecond, or on Refresh.
//
// The collection of garbage renames a new log over the old one. Whoever appends sees under the lock that its log has no name any
// more, and goes on with the new one; what it had found in the old one, it looks for again. What a process finds of earlier ones
// while it works is noted as used, in the log, so that a collection keeps it as it keeps what the process adds.
//
// The log and the index are mapped into memory. A file that is cut while it is mapped, or that the disk cannot give, is an error
// and not the end of the process (guarded in view.go).
//
// Little is synced (format, pins, projects, and a log that GC has written): after a power loss any other bytes may be missing. That is safe, because no read trusts them: small
// blobs are hashed on every read, files on every read or by the size, mtime and inode noted when they were hashed last, since
// the machine was started; pages of the index have checksums, and what it finds is held against the record. What does not check
// out is marked lost, reported missing, and made again by whoever needs it.
package disk
