package main

import (
	"errors"

	"github.com/quipu-memory/quipu/clients/go"
)

func watch(i *invocation) (any, error) {
	options := &quipu.WatchOptions{Spaces: i.with.spaceNames()}
	options.After = i.with.after(options.Spaces)
	options.Filter, options.FilterTree = i.with.filter()
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	if i.take == nil {
		return nil, errors.New("a watch has no end: it needs take")
	}
	changes, err := taken(i.client.Watch(i.ctx, options).Changes(), i.take)
	if err != nil {
		return nil, err
	}
	found := make([]any, 0, len(changes))
	for _, change := range changes {
		made, err := plainChange(change)
		if err != nil {
			return nil, err
		}
		found = append(found, made)
	}
	return found, nil
}

func plainChange(change *quipu.Change) (any, error) {
	memory, err := plain(change.Memory)
	if err != nil {
		return nil, err
	}
	made := map[string]any{
		"space":    change.Space,
		"revision": change.Revision,
		"change":   change.Change.String(),
		"memory":   memory,
	}
	if change.Left {
		made["left"] = true
	}
	return made, nil
}

// after is a revision of all spaces, or a mapping of spaces to revisions; each may come as text.
func (a *arguments) after(spaces []string) map[string]int64 {
	value, isGiven := a.value("after")
	if !isGiven {
		return nil
	}
	wanted, isMapping := value.(map[string]any)
	if !isMapping {
		wanted = map[string]any{}
		for _, space := range spaces {
			wanted[space] = value
		}
		if len(spaces) == 0 {
			wanted[""] = value // the client's
		}
	}
	after := make(map[string]int64, len(wanted))
	for space, given := range wanted {
		revision, isNumber := number(given)
		if !isNumber {
			a.fail("after", given, "a revision")
		}
		after[space] = int64(revision)
	}
	return after
}
