package graph

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func ints(n ...int) []any {
	list := []any{}
	for _, v := range n {
		list = append(list, int64(v))
	}
	return list
}

// TestWindowShapes: sizes as TensorFlow's documentation of padding and PyTorch's of Conv2d, ConvTranspose2d and MaxPool2d give
// them, worked out by hand.
func TestWindowShapes(t *testing.T) {
	conv := func(attrs ...any) Layer { return layer("conv2d", "l", append([]any{"filters", 6}, attrs...)...) }
	up := func(attrs ...any) Layer {
		return layer("conv2d_transpose", "l", append([]any{"filters", 6}, attrs...)...)
	}
	pool := func(attrs ...any) Layer { return layer("max_pool", "l", attrs...) }
	for _, c := range []struct {
		in   []int
		l    Layer
		want []int
	}{
		{[]int{28, 28, 1}, conv("kernel", 3), []int{26, 26, 6}},
		{[]int{28, 28, 1}, conv("kernel", 5, "padding", "same"), []int{28, 28, 6}},
		{[]int{28, 27, 1}, conv("kernel", 3, "padding", "same", "stride", 2), []int{14, 14, 6}},
		{[]int{224, 224, 3}, conv("kernel", 7, "stride", 2, "pads", ints(3, 3, 3, 3)), []int{112, 112, 6}},
		{[]int{10, 11, 1}, conv("kernel", ints(3, 2), "dilation", ints(2, 4)), []int{6, 7, 6}},
		{[]int{10, 11, 1}, conv("kernel", 2, "stride", 3, "padding", "same"), []int{4, 4, 6}},
		{[]int{2, 2, 1}, conv("kernel", 3, "pads", ints(1, 0, 0, 4)), []int{1, 4, 6}},
		{[]int{7, 7, 1}, pool("kernel", 2), []int{3, 3, 1}},
		{[]int{7, 7, 1}, pool("kernel", 3, "stride", 2), []int{3, 3, 1}},
		{[]int{112, 112, 64}, pool("kernel", 3, "stride", 2, "pads", ints(1, 1, 1, 1)), []int{56, 56, 64}},
		{[]int{7, 7, 1}, pool("kernel", ints(2, 3), "padding", "same"), []int{4, 3, 1}},
		{[]int{5, 5, 1}, up("kernel", 3), []int{7, 7, 6}},
		{[]int{5, 5, 1}, up("kernel", 4, "stride", 2, "pads", ints(1, 1, 1, 1)), []int{10, 10, 6}},
		{[]int{5, 6, 1}, up("kernel", 3, "stride", 2, "padding", "same"), []int{10, 12, 6}},
		{[]int{5, 5, 1}, up("kernel", 3, "stride", 2, "pads", ints(1, 1, 1, 1), "output_padding", 1), []int{10, 10, 6}},
		{[]int{5, 5, 1}, up("kernel", 2, "stride", 3, "dilation", 2), []int{15, 15, 6}},
		{[]int{9, 2}, layer("conv1d", "l", "filters", 4, "kernel", ints(3), "stride", 2), []int{4, 4}},
		{[]int{9, 2}, layer("avg_pool", "l", "kernel", 4, "padding", "same"), []int{3, 2}},
		{[]int{3, 4, 5}, layer("upsample", "l", "factor", ints(2, 3)), []int{6, 12, 5}},
		{[]int{3, 4, 5}, layer("global_max_pool", "l"), []int{5}},
	} {
		info, err := Infer(over(c.in, c.l))
		if err != nil {
			t.Errorf("%v %+v: %v", c.in, c.l, err)
		} else if got := info.Shapes["l"]; !slices.Equal(got, c.want) {
			t.Errorf("%v %+v: %v, want %v", c.in, c.l, got, c.want)
		}
	}
}

// TestConvParameters: parameters, fans and operations counted by hand.
func TestConvParameters(t *testing.T) {
	for _, c := range []struct {
		in         []int
		l          Layer
		weight     []int
		fans       [2]int
		parameters int64
		flops      int64
	}{
		{[]int{28, 28, 3}, layer("conv2d", "l", "filters", 16, "kernel", 3), []int{3, 3, 3, 16}, [2]int{27, 144}, 448, 26 * 26 * 16 * (2*27 + 1)},
		{[]int{8, 8, 4}, layer("conv2d", "l", "filters", 8, "kernel", 3, "groups", 4, "padding", "same", "use_bias", false), []int{3, 3, 1, 8}, [2]int{9, 18}, 72, 64 * 8 * 18},
		{[]int{5, 5, 4}, layer("conv2d_transpose", "l", "filters", 2, "kernel", 2, "stride", 2), []int{2, 2, 4, 2}, [2]int{16, 8}, 34, 25*4*4*2*2 + 200},
		{[]int{10, 4}, layer("conv1d", "l", "filters", 2, "kernel", 5), []int{5, 4, 2}, [2]int{20, 10}, 42, 6 * 2 * 41},
	} {
		info, err := Infer(over(c.in, c.l))
		if err != nil {
			t.Errorf("%+v: %v", c.l, err)
			continue
		}
		p := info.Layers["l"].Params[0]
		if !slices.Equal(p.Shape, c.weight) || p.Init.FanIn != c.fans[0] || p.Init.FanOut != c.fans[1] || info.Parameters != c.parameters || info.FLOPs != c.flops {
			t.Errorf("%+v: weight %v, fans %d and %d, %d parameters, %d FLOPs", c.l, p.Shape, p.Init.FanIn, p.Init.FanOut, info.Parameters, info.FLOPs)
		}
	}
}

func TestWindowErrors(t *testing.T) {
	plane, big := []int{4, 5, 6}, int64(math.MaxInt64)
	conv := func(attrs ...any) Layer { return layer("conv2d", "c", append([]any{"filters", 4}, attrs...)...) }
	up := func(attrs ...any) Layer {
		return layer("conv2d_transpose", "c", append([]any{"filters", 4}, attrs...)...)
	}
	pool := func(attrs ...any) Layer { return layer("max_pool", "c", attrs...) }
	for _, c := range []struct {
		in   []int
		l    Layer
		want string
	}{
		{[]int{784}, conv("kernel", 3), `layer "conv2d" "c" needs rank 4, but "x" gives [batch, 784]: add a layer "reshape" before it`},
		{[]int{28, 28, 1}, layer("conv1d", "c", "filters", 4, "kernel", 3), `needs rank 3, but "x" gives [batch, 28, 28, 1]`},
		{[]int{784}, pool("kernel", 2), `layer "max_pool" "c" needs rank 3 to 4, but "x" gives [batch, 784]`},
		{plane, conv("kernel", 5), `needs a kernel that fits into its input, but 5x5 reaches over 5 positions of axis 1, where "x" gives [batch, 4, 5, 6], 4 with padding: take a smaller kernel or dilation, or more padding`},
		{plane, conv("kernel", ints(1, 3), "dilation", 3), `1x3 reaches over 7 positions of axis 2`},
		{plane, pool("kernel", 9, "stride", 1), `9x9 reaches over 9 positions`},
		{plane, conv("kernel", 0), `needs a kernel from 1 to 1048576, one number or 2 (one an axis), but it has 0`},
		{plane, conv(), `needs a kernel from 1`},
		{plane, conv("kernel", ints(3, 3, 3)), `but it has [3 3 3]`},
		{plane, conv("kernel", big), `needs a kernel from 1`},
		{plane, conv("kernel", uint64(math.MaxUint64)), `needs a kernel from 1`},
		{plane, conv("kernel", 1.5), `needs a whole number, or a list of one an axis for "kernel", but it has 1.5`},
		{plane, conv("kernel", 100), `needs a kernel of at most 4096 positions, but 100x100 has 10000`},
		{plane, conv("kernel", 1, "stride", 0), `needs a stride from 1`},
		{plane, conv("kernel", 1, "dilation", -1), `needs a dilation from 1`},
		{plane, conv("kernel", 1, "padding", "full"), `needs a known padding, but it has "full": take one of ["valid" "same"]`},
		{plane, conv("kernel", 1, "pads", ints(1, 1)), `needs pads of 4 numbers from 0 to 1048576, before and after on each axis in turn, but it has [1 1]`},
		{plane, conv("kernel", 1, "pads", ints(1, 1, 1, -1)), `needs pads of 4 numbers`},
		{plane, conv("kernel", 1, "pads", ints(1, 1, 1, 1), "padding", "same"), `needs either pads or padding "same", but it has both`},
		{plane, pool("kernel", 2, "pads", ints(0, 2, 0, 0)), `needs pads below its kernel, so that each window holds something, but pads are [0 2 0 0] and the kernel is 2x2`},
		{plane, conv("kernel", 1, "groups", 4), `needs groups that divide its channels and its filters, but there are 4 groups, "x" gives 6 channels, and there are 4 filters`},
		{plane, conv("kernel", 1, "groups", 3), `there are 3 groups, "x" gives 6 channels, and there are 4 filters`},
		{plane, conv("kernel", 1, "groups", 0), `there are 0 groups`},
		{plane, layer("conv2d", "c", "kernel", 1), `needs filters of at least 1, but it has 0`},
		{plane, conv("kernel", 1, "activation", "rleu"), `needs a known activation`},
		{plane, conv("kernel", 1, "init", "ones"), `needs a known init`},
		{plane, up("kernel", 3, "groups", 2), `conv2d_transpose has no attribute "groups"`},
		{plane, up("kernel", 3, "stride", 2, "output_padding", 2), `needs an output_padding below its stride, but they are 2x2 and 2x2`},
		{plane, up("kernel", 3, "stride", 2, "output_padding", 1, "padding", "same"), `needs no output_padding with padding "same"`},
		{plane, up("kernel", 1, "pads", ints(2, 2, 0, 0)), `needs pads that leave something of its output, but 2 and 2 are cut off 4 positions of axis 1`},
		{[]int{1 << 33, 1, 1}, up("kernel", 1), `needs an input of at most 2^31 positions on an axis`},
		{[]int{1 << 20, 1 << 19, 1}, layer("conv2d", "c", "filters", 1<<20, "kernel", 1), `needs an output of at most 2^40 elements`},
		{[]int{1000, 1000, 100_000}, layer("conv2d", "c", "filters", 1_000_000, "kernel", 1), `with this layer it has 100001000000`},
		{[]int{2, 1, 1 << 25}, layer("conv2d", "c", "filters", 1<<20, "kernel", 1), `at most 100000000000 parameters, but with this layer it has 35184373137408`},
		{plane, layer("upsample", "c", "factor", 1<<20), `needs factors that make at most 4096`},
		{plane, layer("upsample", "c", "factor", 2, "mode", "cubic"), `needs a known mode, but it has "cubic"`},
		{[]int{1 << 39, 1, 1}, layer("upsample", "c", "factor", ints(4, 1)), `needs an output of at most 2^40 elements`},
		{plane, layer("group_norm", "c", "groups", 4), `needs groups that divide its features, but there are 4 groups, and "x" gives 6 features`},
		{plane, layer("multiply", "c", "inputs", "x"), `needs at least 2 inputs`},
	} {
		_, err := Infer(over(c.in, c.l))
		var e *Error
		switch {
		case err == nil:
			t.Errorf("accepted; want %s", c.want)
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("got  %v\nwant %s", err, c.want)
		case !errors.As(err, &e) || e.Needs == "" || e.Got == "" || e.Layer != "c":
			t.Errorf("%v is no complete *Error", err)
		}
	}
	g := over(plane, layer("global_avg_pool", "p"), layer("multiply", "m", "inputs", "x p"))
	if _, err := Infer(g); err == nil || !strings.Contains(err.Error(), `needs inputs of one shape, but for axes of size 1, but "x" gives [batch, 4, 5, 6] and "p" gives [batch, 6]`) {
		t.Errorf("multiply of two ranks: %v", err)
	}
}

// TestCosts: operations that no int64 holds are refused, in one layer and in a sum of layers.
func TestCosts(t *testing.T) {
	if n := product(1<<31, 1<<31, 1<<31); n != huge {
		t.Errorf("2^93 is %d", n)
	}
	if n := product(3, 0, 1<<62); n != 0 {
		t.Errorf("0 is %d", n)
	}
	l := layer("conv2d", "c", "filters", 1<<10, "kernel", 64, "padding", "same")
	var layers []Layer
	for i := range 3 {
		l.Name = string(rune('a' + i))
		layers = append(layers, l)
	}
	_, err := Infer(over([]int{1 << 15, 1 << 15, 1 << 10}, layers...))
	if err == nil || !strings.Contains(err.Error(), "less than 2^60 operations") {
		t.Errorf("three convolutions of 2^62 operations: %v", err)
	}
}
