package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
)

// maxPixels bounds an image: what a header can make a reader allocate.
const maxPixels = 1 << 26

// raster is an image of 8-bit samples, row by row.
type raster struct {
	w, h, channels int
	pix            []byte
}

var (
	pngHead  = []byte("\x89PNG\r\n\x1a\n")
	jpegHead = []byte("\xff\xd8\xff")
)

// errAlpha says that an image has transparent pixels.
var errAlpha = errors.New("it has transparent pixels")

// load decodes a file into so many channels. Errors say what is wrong with the file, without its name.
func load(path string, channels int, alpha string) (*raster, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	img, err := decode(b)
	if err != nil {
		return nil, err
	}
	return convert(img, channels, alpha)
}

func decode(b []byte) (image.Image, error) {
	var config func(io.Reader) (image.Config, error)
	var whole func(io.Reader) (image.Image, error)
	switch {
	case bytes.HasPrefix(b, pngHead):
		config, whole = png.DecodeConfig, png.Decode
		if animated(b) {
			return nil, errors.New("it is animated (an acTL chunk); save one picture of it")
		}
	case bytes.HasPrefix(b, jpegHead):
		config, whole = jpeg.DecodeConfig, jpeg.Decode
	case len(b) == 0:
		return nil, errors.New("it is empty")
	default:
		return nil, fmt.Errorf("it is neither PNG nor JPEG: it begins with % x", b[:min(8, len(b))])
	}
	c, err := config(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("it is %d x %d pixels large; %d in all are the most", c.Height, c.Width, maxPixels)
	}
	if pixels := int64(c.Width) * int64(c.Height); pixels > most(b) {
		return nil, fmt.Errorf("it is damaged: its header says %d x %d pixels, which %d bytes cannot hold", c.Height, c.Width, len(b))
	}
	img, err := whole(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	return img, nil
}

// most is how many pixels a file can hold, so that one that is much shorter than its header says is refused before memory is taken
// for it. deflate packs at most 1,032 bytes into one; JPEG needs a bit at least for each block of 8 x 8 pixels.
func most(b []byte) int64 {
	if !bytes.HasPrefix(b, pngHead) {
		return 512 * int64(len(b))
	}
	// IHDR is the first chunk: 8 bytes of magic, 8 of length and name, 4 of width, 4 of height; then depth and type of colour.
	samples := map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
	if len(b) < 26 || samples[b[25]] == 0 || b[24] == 0 {
		return 0
	}
	return 1032 * 8 * int64(len(b)) / (int64(b[24]) * samples[b[25]])
}

// animated reports a PNG with a chunk that says how many pictures it has.
func animated(b []byte) bool {
	for at := len(pngHead); at+8 <= len(b); {
		n := binary.BigEndian.Uint32(b[at:])
		switch string(b[at+4 : at+8]) {
		case "acTL":
			return true
		case "IDAT":
			return false
		}
		if uint64(at)+12+uint64(n) > uint64(len(b)) {
			return false
		}
		at += 12 + int(n)
	}
	return false
}

// convert brings an image into 8 bits and so many channels. 16 bits become 8 by the nearest value; CMYK becomes RGB and YCbCr
// becomes RGB by the formulas of image/color.
func convert(img image.Image, channels int, alpha string) (*raster, error) {
	b := img.Bounds()
	r := &raster{w: b.Dx(), h: b.Dy(), channels: channels}
	r.pix = make([]byte, 0, r.w*r.h*channels)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p, err := flatten(pixel(img, x, y), channels, alpha)
			if err != nil {
				return nil, err
			}
			switch channels {
			case 1:
				// The weights of ITU-R BT.601 in 1/65536.
				r.pix = append(r.pix, byte((19595*uint32(p.R)+38470*uint32(p.G)+7471*uint32(p.B)+1<<15)>>16))
			case 3:
				r.pix = append(r.pix, p.R, p.G, p.B)
			default:
				r.pix = append(r.pix, p.R, p.G, p.B, p.A)
			}
		}
	}
	return r, nil
}

// pixel is a pixel in 8 bits, its colour not multiplied by its alpha.
func pixel(img image.Image, x, y int) color.NRGBA {
	switch m := img.(type) {
	case *image.Gray:
		v := m.GrayAt(x, y).Y
		return color.NRGBA{v, v, v, 255}
	case *image.Gray16:
		v := to8(m.Gray16At(x, y).Y)
		return color.NRGBA{v, v, v, 255}
	case *image.NRGBA:
		return m.NRGBAAt(x, y)
	case *image.NRGBA64:
		c := m.NRGBA64At(x, y)
		return color.NRGBA{to8(c.R), to8(c.G), to8(c.B), to8(c.A)}
	case *image.RGBA64: // PNG of 16 bits without alpha: opaque
		c := m.RGBA64At(x, y)
		return color.NRGBA{to8(c.R), to8(c.G), to8(c.B), to8(c.A)}
	case *image.RGBA:
		c := m.RGBAAt(x, y)
		return color.NRGBA(c)
	case *image.YCbCr:
		c := m.YCbCrAt(x, y)
		r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		return color.NRGBA{r, g, b, 255}
	case *image.CMYK:
		c := m.CMYKAt(x, y)
		r, g, b := color.CMYKToRGB(c.C, c.M, c.Y, c.K)
		return color.NRGBA{r, g, b, 255}
	}
	return color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA) // palettes
}

func to8(v uint16) byte { return byte((uint32(v) + 128) / 257) }

// flatten does what was asked with a transparent pixel.
func flatten(p color.NRGBA, channels int, alpha string) (color.NRGBA, error) {
	if p.A == 255 || channels == 4 || alpha == "drop" {
		return p, nil
	}
	ground := uint32(0)
	switch alpha {
	case "white":
		ground = 255
	case "black":
	default:
		return p, errAlpha
	}
	on := func(v byte) byte {
		a := uint32(p.A)
		return byte((uint32(v)*a + ground*(255-a) + 127) / 255)
	}
	return color.NRGBA{on(p.R), on(p.G), on(p.B), 255}, nil
}
