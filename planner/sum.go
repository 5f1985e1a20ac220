package planner

// sum derives the block's status and counts from its steps.
func (b *BlockStep) sum() {
	links, cachedLinks := 0, 0
	for _, s := range b.Steps {
		b.Counts.Add(s.Status)
		if s.Series != "" {
			links++
			if s.Status == Cached {
				cachedLinks++
			}
		}
	}
	switch c := b.Counts; {
	case c.Blocked > 0:
		b.Status = Blocked
	case c.Build == 0 && c.Unknown == 0:
		b.Status = Cached
	case cachedLinks > 0 && cachedLinks < links:
		b.Status = Extend
	case c.Build > 0:
		b.Status = Build
	default:
		b.Status = Unknown
	}
}

// sum counts the plan's steps.
func (p *Plan) sum() {
	p.Summary.Cached = p.Beyond
	for _, s := range p.Steps {
		if s != nil {
			p.Summary.Add(s.Status)
		}
	}
}
