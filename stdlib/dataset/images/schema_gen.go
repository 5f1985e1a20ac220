// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package images

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.images.
var Schema = &schema.Kind{Family: "dataset", Type: "images", Version: 1, Doc: "Images in PNG or JPEG files, a directory for each class or a table of paths and labels. 16 bits become 8, CMYK becomes RGB, and an orientation noted beside the image is not looked at; an image that is damaged, animated, transparent or of another size is an error that names it, unless an attribute says what to do.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files of images, most often of fileset(); their order counts for the numbers of rows only.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "valid_files", Type: &schema.Type{Op: schema.List, Doc: "Images for validation.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "test_files", Type: &schema.Type{Op: schema.List, Doc: "Images to evaluate on.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "labels", Type: &schema.Type{Op: schema.String, Doc: "Table in CSV with a header line that gives the label of each file; without it the class is the name of the directory that the file is in."}},
	{Name: "path_column", Default: "path", Type: &schema.Type{Op: schema.String, Doc: "Column of the table with paths, relative to the table or to the spec."}},
	{Name: "label_column", Default: "label", Type: &schema.Type{Op: schema.String, Doc: "Column of the table with labels."}},
	{Name: "classes", Type: &schema.Type{Op: schema.List, Doc: "Classes in order; all that there are, sorted, when absent.", MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
	{Name: "size", Type: &schema.Type{Op: schema.List, Doc: "Height and width of all images; that of the first when absent.", MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 8192, Exclusive: false}}}},
	{Name: "resize", Default: "none", Type: &schema.Type{Op: schema.String, Doc: "What to do with images of another size: refuse them, stretch, scale and cut off what stands over (crop), or scale and fill the rest with zeros (pad). Scaling is bilinear over the area that a pixel covers.", Enum: []any{"none", "stretch", "crop", "pad"}}},
	{Name: "channels", Default: int64(3), Type: &schema.Type{Op: schema.Int, Doc: "1 for grey, 3 for red, green and blue, 4 with alpha. Grey images fill all three, colours become their brightness (ITU-R BT.601).", Enum: []any{int64(1), int64(3), int64(4)}}},
	{Name: "alpha", Default: "error", Type: &schema.Type{Op: schema.String, Doc: "What to do with transparent pixels where channels is not 4: refuse the image, forget the transparency, or put the image on black or white.", Enum: []any{"error", "drop", "black", "white"}}},
	{Name: "input", Default: "pixels", Type: &schema.Type{Op: schema.String, Doc: "Name of the input that the images make."}},
	{Name: "max_rows", Type: &schema.Type{Op: schema.Int, Doc: "Take so many images at most of each part.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "leaks", Default: "warn", Type: &schema.Type{Op: schema.String, Doc: "What to do about images of one split that are, after all conversions, equal to one of another split.", Enum: []any{"warn", "error", "drop", "ignore"}}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of files; without it they are one part that serves for everything, or for training where there are files for testing.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the rows to train on.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to look at while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to evaluate on.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of what deals the rows out."}},
		{Name: "stratify", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each part gets the same mix of classes."}},
		{Name: "by", Default: "position", Type: &schema.Type{Op: schema.String, Doc: "What decides on an image: its position, by a permutation of all; or its content, so that equal images stay together and an image keeps its part when others come or go.", Enum: []any{"position", "content"}}},
	}}},
}}}
