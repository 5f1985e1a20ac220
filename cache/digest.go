package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"

	digest "github.com/opencontainers/go-digest"
)

// Digest names some bytes: their SHA-256 and their number. It is comparable, and the zero value means absent. The sums are
// those of OCI and of the Remote Execution API, so no store of either needs to hash again.
type Digest struct {
	sum  [sha256.Size]byte
	size int64
}

// Sum is the digest of b.
func Sum(b []byte) Digest { return Digest{sum: sha256.Sum256(b), size: int64(len(b))} }

// NewDigest makes a digest of a sum and a size that belong together.
func NewDigest(sum [sha256.Size]byte, size int64) Digest { return Digest{sum: sum, size: size} }

// ParseDigest reads "sha256:<64 lower-case hex digits>"; the size is the caller's.
func ParseDigest(s string, size int64) (Digest, error) {
	d := Digest{size: size}
	text, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(text) != 2*sha256.Size || strings.ToLower(text) != text || size < 0 {
		return Digest{}, fmt.Errorf("%q is no digest: want sha256: and 64 hex digits", s)
	}
	if _, err := hex.Decode(d.sum[:], []byte(text)); err != nil {
		return Digest{}, fmt.Errorf("%q is no digest: %w", s, err)
	}
	return d, nil
}

// String is "sha256:<hex>", without the size.
func (d Digest) String() string { return "sha256:" + hex.EncodeToString(d.sum[:]) }

// Hex is the sum alone.
func (d Digest) Hex() string { return hex.EncodeToString(d.sum[:]) }

// Bytes is the raw sum.
func (d Digest) Bytes() [sha256.Size]byte { return d.sum }

// Size is the number of bytes.
func (d Digest) Size() int64 { return d.size }

// IsZero reports that the digest is absent. No bytes have the zero digest: even empty ones have a sum.
func (d Digest) IsZero() bool { return d == Digest{} }

// OCI is the digest in the type of the OCI libraries, which carries no size.
func (d Digest) OCI() digest.Digest { return digest.NewDigestFromEncoded(digest.SHA256, d.Hex()) }

// AppendText appends what MarshalText returns.
func (d Digest) AppendText(b []byte) []byte {
	if d.IsZero() {
		return b
	}
	b = hex.AppendEncode(append(b, "sha256:"...), d.sum[:])
	return strconv.AppendInt(append(b, '/'), d.size, 10)
}

// MarshalText is "sha256:<hex>/<size>", the form in which digests are kept; the zero digest is empty.
func (d Digest) MarshalText() ([]byte, error) {
	return d.AppendText(make([]byte, 0, 96)), nil
}

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	sum, num, ok := strings.Cut(string(b), "/")
	if !ok {
		return fmt.Errorf("%q is no digest with size: want sha256:<hex>/<bytes>", b)
	}
	size, err := strconv.ParseInt(num, 10, 64)
	if err != nil {
		return fmt.Errorf("size of %q: %w", b, err)
	}
	*d, err = ParseDigest(sum, size)
	return err
}

// Hasher takes the digest of what is written to it.
type Hasher struct {
	h    hash.Hash
	size int64
}

// NewHasher returns a Hasher that has seen nothing.
func NewHasher() *Hasher { return &Hasher{h: sha256.New()} }

// Write never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	h.size += int64(len(p))
	return h.h.Write(p)
}

// Digest is the digest of everything written so far.
func (h *Hasher) Digest() Digest {
	d := Digest{size: h.size}
	h.h.Sum(d.sum[:0])
	return d
}

// ActionKey names a computation: it is the digest of the encoded action, which the store keeps as a blob. It is a type of
// its own so that the name of a computation is never taken for the name of its bytes.
type ActionKey struct{ d Digest }

// KeyOf is the key of an encoded action. There is no other way to compute one.
func KeyOf(encoded []byte) ActionKey { return ActionKey{Sum(encoded)} }

// KeyFrom is the key whose preimage has a digest, the inverse of ActionKey.Digest: stores and memories keep keys as digests. The
// zero digest gives the zero key.
func KeyFrom(preimage Digest) ActionKey { return ActionKey{preimage} }

// ParseActionKey reads what MarshalText wrote.
func ParseActionKey(s string) (ActionKey, error) {
	var k ActionKey
	err := k.d.UnmarshalText([]byte(s))
	return k, err
}

// String is "sha256:<hex>".
func (k ActionKey) String() string { return k.d.String() }

// Digest is the digest of the preimage, under which the store keeps it.
func (k ActionKey) Digest() Digest { return k.d }

// IsZero reports that there is no key.
func (k ActionKey) IsZero() bool { return k.d.IsZero() }

// MarshalText is "sha256:<hex>/<size>".
func (k ActionKey) MarshalText() ([]byte, error) { return k.d.MarshalText() }

// UnmarshalText reads what MarshalText wrote.
func (k *ActionKey) UnmarshalText(b []byte) error { return k.d.UnmarshalText(b) }
