// Package learn is the training engine: it turns an architecture, data and a configuration into better weights, an epoch at a
// time, so that any number of epochs in one go and in pieces give the same bits.
//
// It knows neither files nor kinds. The nouns: Config (with Optimizer, Group, Schedule, Loss), State (everything that a next
// epoch depends on), Program (what is compiled), Trainer (a program with the state on the device), Record (what an epoch did),
// Predict (the forward pass over many rows).
//
// What an epoch does is a pure function of (graph, data, config, state): the order of rows of (seed, epoch), dropout of
// (seed, step, layer), augmentation of (seed, epoch, row), masks of masked_lm of (seed, epoch, row, position), initial weights of (seed, parameter), the learning rate of (schedule, step). Rows that do not fill a
// batch make a smaller last one.
//
// Read next: optimizer.go for the update rules, program.go for the computation of a step, trainer.go for the epoch around it.
package learn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/augment"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Config is what training is told, beside graph and data. The zero value of what is not required leaves it out.
type Config struct {
	Loss           string             `json:"loss"`            // a name of Losses
	HuberDelta     float64            `json:"huber_delta"`     // where huber turns from square to line; 0 stands for 1
	FocalGamma     float64            `json:"focal_gamma"`     // how much focal turns away from what is right already
	LabelSmoothing float64            `json:"label_smoothing"` // the share of a label that is spread over all classes
	ClassWeights   map[string]float64 `json:"class_weights"`   // by class; 1 for those that are not named

	// What a language model learns to say, of tokens and without a label: see language.go. Loss is then cross_entropy.
	Objective       string  `json:"objective"`        // MaskedLM or CausalLM; "" for what the label says
	MaskProbability float64 `json:"mask_probability"` // of a token to be one that masked_lm asks for

	Distill *Distill `json:"distill"` // a teacher to learn from beside the labels; nil for none

	Optimizer Optimizer `json:"optimizer"`
	Groups    []Group   `json:"group"`
	Only      []string  `json:"-"` // patterns, as of groups, of what is trained: all else is frozen, whatever groups say; none for all
	Schedule  Schedule  `json:"schedule"`

	LayerDecay float64 `json:"layer_decay"` // factor of the learning rate from each block of a stack to the one before it; 0 for none

	Augment []augment.Op `json:"augment"` // what becomes of rows of the train split, anew in each epoch

	Batch      int   `json:"batch"`      // rows in a step
	Accumulate int   `json:"accumulate"` // parts that a batch is computed in, one after the other; 0 and 1: whole
	Seed       int64 `json:"seed"`
	Shuffle    bool  `json:"shuffle"`

	ClipNorm  float64 `json:"clip_norm"`  // global L2 norm that gradients are scaled down to; 0 leaves them
	ClipValue float64 `json:"clip_value"` // largest size of each element of a gradient, before clip_norm; 0 leaves them
	EMA       *EMA    `json:"ema"`
	Precision string  `json:"precision"`  // float32 (also ""), bfloat16 or float16: what layers compute in
	Remat     int     `json:"checkpoint"` // of the layers' outputs keep each n-th for the gradient, make the others again; 0 keeps all
	LogEvery  int     `json:"log_every"`  // steps between lines of the history; 0 for none but the epoch's
	KeepZeros bool    `json:"keep_zeros"` // weights that are zero stay zero

	weights []float32 // of the classes in order; nil where all weigh the same
	teacher *Teacher  // what it says about the data
}

// EMA is a moving average of the weights: after each step, average = d average + (1-d) weight, with
// d = min(decay, (1+step)/(10+step)), so that the first steps do not weigh for ever.
type EMA struct {
	Decay float64 `json:"decay"`
}

// Misfit is a configuration that does not fit the graph or the data. Attr is the attribute at fault.
type Misfit struct{ Attr, Text string }

func (m *Misfit) Error() string { return m.Text }

// Sentence is the text with a full stop, unless it ends with a question.
func (m *Misfit) Sentence() string {
	if strings.HasSuffix(m.Text, "?") {
		return m.Text
	}
	return m.Text + "."
}

func misfit(attr, format string, args ...any) error {
	return &Misfit{attr, fmt.Sprintf(format, args...)}
}

// Named tells the configuration what the classes of the data are called, which ClassWeights speak of.
func (c *Config) Named(classes []string) error {
	if len(c.ClassWeights) == 0 {
		return nil
	}
	c.weights = make([]float32, len(classes))
	for i := range c.weights {
		c.weights[i] = 1
	}
	for name, w := range c.ClassWeights {
		i := slices.Index(classes, name)
		if i < 0 {
			hint := fmt.Sprintf("the data has %s", list(classes))
			if s := schema.Nearest(name, classes); s != "" {
				hint += fmt.Sprintf("; did you mean %q?", s)
			}
			return misfit("class_weights", "class_weights names %q, which is no class: %s", name, hint)
		}
		c.weights[i] = float32(w)
	}
	return nil
}

// list names some things, the first ten of many.
func list(names []string) string {
	var quoted []string
	for _, n := range names[:min(len(names), 10)] {
		quoted = append(quoted, strconv.Quote(n))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - len(quoted); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// parts is Accumulate, at least 1.
func (c *Config) parts() int { return max(c.Accumulate, 1) }

// Check reports what of a configuration cannot be, whatever graph and data are. A *Misfit.
func (c *Config) Check() error {
	l, known := Losses[c.Loss]
	switch {
	case !known:
		return misfit("loss", "there is no loss %q", c.Loss)
	case c.Batch < 1:
		return misfit("batch", "a batch has at least 1 row, not %d", c.Batch)
	case c.Batch%c.parts() != 0:
		return misfit("accumulate", "accumulate = %d does not divide batch = %d: the parts of a batch must be of one size. Take a divisor of %d, or a batch of %d",
			c.Accumulate, c.Batch, c.Batch, (c.Batch/c.parts()+1)*c.parts())
	case c.LabelSmoothing != 0 && !l.smooths:
		return misfit("label_smoothing", "label_smoothing does nothing for %s; it is for %s", c.Loss, lossesThat(func(l Loss) bool { return l.smooths }))
	case len(c.ClassWeights) > 0 && !l.Classes:
		return misfit("class_weights", "class_weights do nothing for %s; they are for %s", c.Loss, lossesThat(func(l Loss) bool { return l.Classes }))
	case rules[c.Optimizer.Type].step == nil:
		return misfit("optimizer", "there is no optimizer %q", c.Optimizer.Type)
	case c.Optimizer.LR <= 0 || c.Optimizer.WeightDecay < 0:
		return misfit("optimizer", "learning rate %g and weight decay %g: the first must be above 0, the other at least 0", c.Optimizer.LR, c.Optimizer.WeightDecay)
	}
	if err := cmp.Or(c.checkObjective(), c.checkDistill()); err != nil {
		return err
	}
	for name, w := range c.ClassWeights {
		if w < 0 || math.IsNaN(w) || math.IsInf(w, 0) {
			return misfit("class_weights", "class %q weighs %g; a weight is at least 0", name, w)
		}
	}
	return c.Schedule.Check()
}

// State is everything that the next epoch depends on, beside graph, data and config.
type State struct {
	Epoch   int                      // epochs done
	Step    int                      // steps done
	Params  map[string]bundle.Params // by layer
	Moments map[string]bundle.Params // by layer; "<param>.<moment>"
	Scaler  []float32                // of the loss, with float16 only: see scaler.go
}

// Averaged returns the parameters with the moving averages in the place of the weights that have one, and whether there are
// any.
func (s *State) Averaged() (map[string]bundle.Params, bool) {
	out, any := map[string]bundle.Params{}, false
	for layer, ps := range s.Params {
		out[layer] = bundle.Params{}
		for name, t := range ps {
			if a := s.Moments[layer][name+"."+emaName]; a != nil {
				t, any = a, true
			}
			out[layer][name] = t
		}
	}
	return out, any
}

// Init returns the state before the first epoch. Each parameter is a pure function of seed and name:
//
//	glorot_uniform  uniform in ±sqrt(6 / (fan_in + fan_out))   (Glorot and Bengio 2010)
//	he_normal       normal with deviation sqrt(2 / fan_in)     (He et al. 2015)
//	fan_in_uniform  uniform in ±1 / sqrt(fan_in)               (LeCun et al. 1998, as in PyTorch)
//	normal          normal with deviation 0.02                 (Radford et al. 2018)
//	forget          0, but 1 in the second quarter             (Jozefowicz et al. 2015)
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
	case "fan_in_uniform":
		limit := 1 / math.Sqrt(float64(init.FanIn))
		for i := range v {
			v[i] = float32((2*r.Float64() - 1) * limit)
		}
	case "normal":
		for i := range v {
			v[i] = float32(r.Normal() * 0.02)
		}
	case "forget":
		for i := len(v) / 4; i < len(v)/2; i++ {
			v[i] = 1
		}
	}
}
