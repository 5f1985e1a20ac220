// Package disk is the store on a local disk, shared by any number of processes.
//
// Layout, format 1:
//
//	format            "mbuild store 1\n"; a program that does not know the number refuses the store
//	log               append-only records: small blobs, results, and notes about large blobs
//	blobs/ab/<hex>    one read-only file for each blob of 64 KiB or more, named by its SHA-256
//	tmp/              files on their way into blobs, and private directories of running actions
//	locks             an empty file whose bytes are locked, one for each key that is being worked on
//
// A log record is a header of 56 bytes and a payload, integers little-endian:
//
//	 0  "MBR1"
//	 4  type: 1 blob, 2 result, 3 file (a note that blobs/ holds it), 4 lost (a tombstone)
//	 5  three zero bytes
//	 8  size of the blob, or of the preimage of a result's key (8 bytes)
//	16  sum of the blob, or of the key (32 bytes)
//	48  length of the payload (4 bytes)
//	52  CRC-32C of bytes 0 to 51 and of the payload (4 bytes)
//
// The payload of a blob is its bytes; of a result, its JSON; of a file, mtime in nanoseconds and inode (8 bytes each); of a
// tombstone, nothing. The last record of a sum wins.
//
// Writers append whole records under flock, in one write. A process that dies in the middle of it leaves a torn record, which
// readers skip: a record that does not check out is passed over to the next one that does. So garbage anywhere in the log
// costs the records it hits and nothing else. Readers take no lock; they read on where they stopped, on every miss.
//
// Nothing is synced: after a power loss any of the bytes may be missing. That is safe, because no read trusts them: small
// blobs are hashed on every read, files on every read or by the size, mtime and inode noted when they were hashed last. What
// does not check out is marked lost, reported missing, and made again by whoever needs it.
package disk
