package mlx

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Upload makes a tensor as FromBytes does, but on the device at once: what FromBytes makes is copied there when it is first used, and
// stays in memory beside it.
func (s *Session) Upload(dtype string, shape []int, data []byte) (*tensors.Tensor, error) {
	dt, ok := elements[dtype]
	if !ok {
		return nil, fmt.Errorf("there are no tensors of type %q", dtype)
	}
	t, err := tensors.FromRaw(s.Backend, 0, shapes.Make(dt, shape...), data)
	if err != nil {
		return nil, fmt.Errorf("a tensor %s%v: %w", dtype, shape, err)
	}
	return t, nil
}
