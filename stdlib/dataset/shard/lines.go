package shard

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"mbuild.dev/mbuild/executor"
)

// maxLine bounds a line of text.
const maxLine = 64 << 20

// Lines reads a file line by line.
type Lines struct {
	r      *Reader
	buf    []byte
	number int // of the line last read, from 1
	Broken int // lines with bytes that were no UTF-8
	broken int // the first of them
}

// OpenLines opens an input that is lines of text, gzipped or not.
func OpenLines(in executor.JobInput) (*Lines, error) {
	r, err := Open(in, "files")
	if err != nil {
		return nil, err
	}
	return &Lines{r: r}, nil
}

// Close closes the file.
func (l *Lines) Close() error { return l.r.Close() }

// Name is how to call the file.
func (l *Lines) Name() string { return l.r.Name }

// At is the place of the line last read, "file:line".
func (l *Lines) At() string { return fmt.Sprintf("%s:%d", l.r.Name, l.number) }

// Next is the next line without its end, until the one after it; io.EOF at the end. A byte order mark is not part of the text.
func (l *Lines) Next() ([]byte, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		switch {
		case len(l.buf) > maxLine:
			return nil, Fail("long-line", "files", "Line too long", "%s:%d is longer than %d MB. Is it a file of lines?", l.r.Name, l.number+1, maxLine>>20)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(l.buf) == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, l.r.Unreadable(err)
		}
		l.number++
		line := bytes.TrimSuffix(bytes.TrimSuffix(l.buf, []byte("\n")), []byte("\r"))
		if l.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		return line, nil
	}
}

// Text makes valid UTF-8 of a line or a part of it: a damaged byte becomes U+FFFD, which is counted.
func (l *Lines) Text(b []byte) string {
	s, broken := Clean(string(b))
	if broken {
		if l.Broken == 0 {
			l.broken = l.number
		}
		l.Broken++
	}
	return s
}

// Warn says what was repaired.
func (l *Lines) Warn(log io.Writer) {
	if l.Broken > 0 {
		fmt.Fprintf(log, "warning: %s: %d texts are not UTF-8, the first on line %d; what is damaged in them became U+FFFD. Save the file as UTF-8\n", l.r.Name, l.Broken, l.broken)
	}
}
