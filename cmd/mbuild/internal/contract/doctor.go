package contract

// Doctor is the document of doctor.
type Doctor struct {
	FormatVersion string  `json:"format_version"`
	Problems      int     `json:"problems"`
	Checks        []Check `json:"checks"`
}

// Check is one thing that was looked at.
type Check struct {
	Area   string `json:"area"` // versions, backends, store, sandbox, project
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warning, problem
	Value  string `json:"value"`
	Advice string `json:"advice,omitempty"`
}
