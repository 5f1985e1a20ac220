package executor

// slotSet numbers the slots of an apply, so that traces can show who ran where. The machine counts how many are free; this only
// names them, the lowest first.
type slotSet []bool

// take marks n slots as used and returns their numbers. The caller has seen to it that there are as many.
func (s *slotSet) take(n int) []int {
	taken := make([]int, 0, n)
	for i := 0; len(taken) < n; i++ {
		if i == len(*s) {
			*s = append(*s, false)
		}
		if !(*s)[i] {
			(*s)[i] = true
			taken = append(taken, i)
		}
	}
	return taken
}

func (s *slotSet) give(slots []int) {
	for _, i := range slots {
		(*s)[i] = false
	}
}
