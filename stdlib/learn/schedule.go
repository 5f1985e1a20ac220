package learn

import (
	"math"
)

// Schedule says how the learning rate goes: the optimizer's, times a factor that is a pure function of the step. With t the
// step from 0, w the steps of warm-up, n the steps of an epoch, T those of the horizon, p = (t-w) / (T-w):
//
//	constant     1
//	step         factor ^ floor(t / (every n))
//	exponential  factor ^ (t / n)
//	cosine       final + (1-final) (1 + cos pi p) / 2                   (Loshchilov and Hutter 2017, without restarts)
//	linear       1 - (1-final) p
//	polynomial   final + (1-final) (1-p) ^ power
//	one_cycle    by half cosines from start to 1 at p = rise, and on to final  (Smith and Topin 2019)
//	wsd          1, and in the epochs of the decay, of which q is done: 1 - (1-final) q, or by shape
//	             cosine as above, or sqrt: 1 - (1-final) sqrt q                (Hägele et al. 2024)
//
// During warm-up all are (t+1) / w instead. Beyond the horizon the factor stays at final.
type Schedule struct {
	Type         string  `json:"type"` // "" is constant
	WarmupSteps  int     `json:"warmup_steps"`
	WarmupEpochs float64 `json:"warmup_epochs"`
	Every        float64 `json:"every"`
	Factor       float64 `json:"factor"`
	Final        float64 `json:"final"`
	Power        float64 `json:"power"`
	Rise         float64 `json:"rise"`
	Start        float64 `json:"start"`
	Shape        string  `json:"shape"`
	Epochs       float64 `json:"epochs"`       // the horizon, in epochs
	DecayEpochs  int     `json:"decay_epochs"` // of wsd
	Decay        *int    `json:"decay"`        // of wsd: the epoch within the decay, from 0, that is being done; nil while stable
}

// DependsOnTotal reports whether the schedule has a horizon, so that each step depends on how many there will be.
func (s Schedule) DependsOnTotal() bool {
	switch s.Type {
	case "cosine", "linear", "polynomial", "one_cycle":
		return true
	}
	return false
}

// Check reports a schedule that ends before it begins: whose warm-up takes all of its horizon. A *Misfit. Warm-up in steps is
// held against the horizon when an epoch begins (see check), for only the data tells how many steps an epoch has.
func (s Schedule) Check() error { return s.check(0) }

func (s Schedule) check(perEpoch int) error {
	warm := s.WarmupEpochs
	if perEpoch > 0 {
		warm += float64(s.WarmupSteps) / float64(perEpoch)
	}
	switch {
	case s.DependsOnTotal() && s.Epochs <= 0:
		return misfit("schedule", "%s needs a horizon of more than 0 epochs", s.Type)
	case s.DependsOnTotal() && warm >= s.Epochs:
		return misfit("schedule", "the %s schedule ends before it begins: warm-up takes %.4g epochs, and the whole is %.4g. Warm up for less, or train for more epochs", s.Type, warm, s.Epochs)
	}
	return nil
}

// At is the factor of the step-th step of training, from 0, which is the i-th of an epoch of n steps.
func (s Schedule) At(step, i, n int) float64 {
	t, perEpoch := float64(step), float64(n)
	warm := float64(s.WarmupSteps) + s.WarmupEpochs*perEpoch
	if s.Decay != nil {
		return s.fall(s.Shape, (float64(*s.Decay*n+i))/(float64(s.DecayEpochs)*perEpoch))
	}
	if t < warm {
		return math.Min(1, (t+1)/warm)
	}
	p := math.Min(1, (t-warm)/(s.Epochs*perEpoch-warm))
	switch s.Type {
	case "step":
		return math.Pow(s.Factor, math.Floor(t/(s.Every*perEpoch)))
	case "exponential":
		return math.Pow(s.Factor, t/perEpoch)
	case "cosine", "linear":
		return s.fall(s.Type, p)
	case "polynomial":
		return s.Final + (1-s.Final)*math.Pow(1-p, s.Power)
	case "one_cycle":
		if p < s.Rise {
			return s.Start + (1-s.Start)*(1-math.Cos(math.Pi*p/s.Rise))/2
		}
		return s.fall("cosine", (p-s.Rise)/(1-s.Rise))
	}
	return 1
}

// fall goes from 1 to Final as p goes from 0 to 1.
func (s Schedule) fall(shape string, p float64) float64 {
	switch shape {
	case "cosine":
		return s.Final + (1-s.Final)*(1+math.Cos(math.Pi*p))/2
	case "sqrt":
		p = math.Sqrt(p)
	}
	return 1 - (1-s.Final)*p
}
