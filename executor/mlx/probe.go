package mlx

// Probed is what a plugin says of itself and of the devices it has found.
type Probed struct {
	Version  string   `json:"version"`  // of the PJRT interface: "0.115"
	Platform string   `json:"platform"` // cpu, cuda, …
	Runtime  string   `json:"runtime"`  // the platform's version, in the plugin's words
	Devices  []string `json:"devices"`  // kind of each device
}
