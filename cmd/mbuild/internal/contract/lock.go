package contract

// Lock is what `lock` gives under -json.
type Lock struct {
	FormatVersion string `json:"format_version"`
	Path          string `json:"path"` // of the lock file, relative to the spec
	Pins          []Pin  `json:"pins"`
}

// Pin is a file that others made, and its digest. In a plan, it is the digest that the file has; that of the lock file, if there is
// one, is the same, for anything else is an error.
type Pin struct {
	Path   string `json:"path"` // relative to the spec
	Digest string `json:"digest"`
	Pinned *bool  `json:"pinned,omitempty"` // plan: whether the lock file has it; if not, apply will write it
	Change string `json:"change,omitempty"` // lock: one of the changes below
	Before string `json:"before,omitempty"` // lock: the digest that was pinned
}

// What `lock` did with an entry.
const (
	PinAdded   = "added"
	PinChanged = "changed"
	PinKept    = "unchanged"
	PinUnread  = "unread" // the spec does not read the file now; the entry stays
	PinRemoved = "removed"
)
