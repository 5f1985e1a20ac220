// Package learn is the training engine: it turns an architecture, data and a configuration into better weights, an epoch at a
// time, so that any number of epochs in one go and in pieces give the same bits.
//
// It knows neither files nor kinds. The nouns: Config, State (everything that a next epoch depends on), Trainer (a compiled
// step with the state on the device), Predict (the forward pass over many rows).
//
// What an epoch does is a pure function of (graph, data, config, state): the order of rows of (seed, epoch), dropout of
// (seed, step, layer), initial weights of (seed, parameter). Rows that do not fill a batch make a smaller last one.
package learn

import (
	"fmt"
	"math"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Config is what training is told, beside graph and data.
type Config struct {
	Loss      string    `json:"loss"` // cross_entropy: of softmax(logits) against a class; mse: of one output against a number
	Optimizer Optimizer `json:"optimizer"`
	Batch     int       `json:"batch"`
	Seed      int64     `json:"seed"`
	Shuffle   bool      `json:"shuffle"`
	ClipNorm  float64   `json:"clip_norm"` // global L2 norm that gradients are scaled down to; 0 leaves them
	KeepZeros bool      `json:"keep_zeros"`
}

// Optimizer is how gradients become steps.
//
//	sgd       w -= lr (g + weight_decay w)
//	momentum  v = momentum v + g + weight_decay w; w -= lr v        (Polyak 1964, as in PyTorch, without dampening)
//	adam      Kingma and Ba 2015, algorithm 1; weight_decay adds to the gradient
//	adamw     Loshchilov and Hutter 2019: w -= lr weight_decay w, apart from the gradient
type Optimizer struct {
	Type        string  `json:"type"`
	LR          float64 `json:"lr"`
	WeightDecay float64 `json:"weight_decay"`
	Momentum    float64 `json:"momentum"`
	Beta1       float64 `json:"beta1"`
	Beta2       float64 `json:"beta2"`
	Epsilon     float64 `json:"epsilon"`
}

// moments are the names of the tensors an optimizer keeps for each parameter.
func (o Optimizer) moments() []string {
	switch o.Type {
	case "momentum":
		return []string{"velocity"}
	case "adam", "adamw":
		return []string{"m", "v"}
	}
	return nil
}

// State is everything that the next epoch depends on, beside graph, data and config.
type State struct {
	Epoch   int                      // epochs done
	Step    int                      // steps done
	Params  map[string]bundle.Params // by layer
	Moments map[string]bundle.Params // by layer; "<param>.<moment>"
}

// Init returns the state before the first epoch. Each parameter is a pure function of seed and name:
//
//	glorot_uniform  uniform in ±sqrt(6 / (fan_in + fan_out))   (Glorot and Bengio 2010)
//	he_normal       normal with deviation sqrt(2 / fan_in)     (He et al. 2015)
func Init(info *graph.Info, seed int64) map[string]bundle.Params {
	params := map[string]bundle.Params{}
	for layer, li := range info.Layers {
		if len(li.Params) == 0 {
			continue
		}
		ps := bundle.Params{}
		for _, p := range li.Params {
			v := make([]float32, graph.Size(p.Shape))
			fill(v, p.Init, mlx.NewRandom(seed, "init/"+layer+"/"+p.Name))
			ps[p.Name] = bundle.Float32(p.Shape, v)
		}
		params[layer] = ps
	}
	return params
}

func fill(v []float32, init graph.Init, r *mlx.Random) {
	switch init.Kind {
	case "ones":
		for i := range v {
			v[i] = 1
		}
	case "glorot_uniform":
		limit := math.Sqrt(6 / float64(init.FanIn+init.FanOut))
		for i := range v {
			v[i] = float32((2*r.Float64() - 1) * limit)
		}
	case "he_normal":
		dev := math.Sqrt(2 / float64(init.FanIn))
		for i := range v {
			v[i] = float32(r.Normal() * dev)
		}
	}
}

// Diverged says that the loss is no longer a number.
type Diverged struct {
	Epoch, Step int // from 1; Step within the epoch
	LR          float64
}

func (d *Diverged) Error() string {
	return fmt.Sprintf("the loss is not finite from step %d of epoch %d on. Try a smaller learning rate (it is %g), clip_norm, or inputs scaled to about 1", d.Step, d.Epoch, d.LR)
}
