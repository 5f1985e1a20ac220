package contract

// Backends is what `backend list`, `install` and `pin` give under -json.
type Backends struct {
	FormatVersion string    `json:"format_version"`
	Directory     string    `json:"directory"` // where plugins of this user are
	XLA           bool      `json:"xla"`       // whether this build can open plugins
	Backends      []Backend `json:"backends"`
}

// Backend is one backend, or one plugin of a backend.
type Backend struct {
	Name        string   `json:"name"`
	Plugin      string   `json:"plugin,omitempty"`  // the file or wheel it was taken from
	Version     string   `json:"version,omitempty"` // of the PJRT interface, "0.115"
	Digest      string   `json:"digest,omitempty"`
	Pinned      bool     `json:"pinned"`
	Usable      bool     `json:"usable"`
	Problem     string   `json:"problem,omitempty"` // why it is not usable, in one line
	Devices     []string `json:"devices"`           // kind of each device
	Fingerprint string   `json:"fingerprint,omitempty"`
}

// Removed is what `backend remove` gives under -json.
type Removed struct {
	FormatVersion string   `json:"format_version"`
	Removed       []string `json:"removed"` // digests
}
