// Package disk is the store on a local disk, shared by any number of processes.
//
// It deliberately does not know what is worth keeping, nor what results mean. Its nouns in the order in which they appear: the
// log of records (record.go, log.go), the index that finds them (index.go) and the table of those it does not cover (table.go),
// blobs in the log or as files (blob.go), results (result.go), key locks (lock.go), witnesses (witness.go).
//
// Layout, format 2:
//
//	format            "mbuild store 2\n"; a program that does not know the number refuses the store
//	log               append-only records: small blobs, results, and notes about large blobs
//	index             where the records are; may be missing, or behind
//	blobs/ab/<hex>    one read-only file for each blob of 64 KiB or more, named by its SHA-256
//	tmp/              files on their way into blobs, and private directories of running actions
//	locks             an empty file whose bytes are locked, one for each key that is being worked on
//
// A log record is a header of 56 bytes and a payload, integers little-endian:
//
//	 0  "MBR1"
//	 4  type: 1 blob, 2 result, 3 file (a note that blobs/ holds it), 4 lost (a tombstone), 5 head
//	 5  three zero bytes
//	 8  size of the blob, or of the preimage of a result's key (8 bytes)
//	16  sum of the blob, or of the key; of a head, a random id (32 bytes)
//	48  length of the payload (4 bytes), at most 16 MiB
//	52  CRC-32C of bytes 0 to 51 and of the payload (4 bytes)
//
// The payload of a blob is its bytes; of a result, its encoding (package cache, codec.go); of a file, mtime in nanoseconds, inode
// and boot (8 bytes each); of a tombstone and a head, nothing. The last record of a sum wins. The head begins the log and tells it
// from others. Format 1 had neither head nor boot, and results in JSON: it is read, and becomes format 2 when it is opened.
//
// Writers append whole records under flock, in one write. A process that dies in the middle of it leaves a torn record, which
// readers skip: a record that does not check out is passed over to the next one that does. So garbage anywhere in the log
// costs the records it hits and nothing else. Readers take no lock; they look for what others have appended when something is
// not there and they have not looked for a millisecond, or on Refresh.
//
// The log and the index are mapped into memory. A file that is cut while it is mapped, or that the disk cannot give, is an error
// and not the end of the process (guarded in view.go).
//
// Nothing is synced: after a power loss any of the bytes may be missing. That is safe, because no read trusts them: small
// blobs are hashed on every read, files on every read or by the size, mtime and inode noted when they were hashed last, since
// the machine was started; pages of the index have checksums, and what it finds is held against the record. What does not check
// out is marked lost, reported missing, and made again by whoever needs it.
package disk
