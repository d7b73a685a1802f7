package quipu

import "strings"

// spaceName gives `spaces/{space}` for an id or a name, and for nothing that of the client's space.
func (c *Client) spaceName(space string) string {
	if space == "" {
		space = c.space
	}
	return prefixed("spaces/", space)
}

// spaceNames gives those of some spaces, and for none that of the client's.
func (c *Client) spaceNames(spaces []string) []string {
	if len(spaces) == 0 {
		spaces = []string{c.space}
	}
	names := make([]string, 0, len(spaces))
	for _, space := range spaces {
		names = append(names, c.spaceName(space))
	}
	return names
}

// memoryName gives `spaces/{space}/memories/{memory}` for an id or a name.
func (c *Client) memoryName(memory, space string) string {
	if strings.HasPrefix(memory, "spaces/") {
		return memory
	}
	return c.spaceName(space) + "/memories/" + memory
}

// sessionName gives `spaces/{space}/sessions/{session}` for an id or a name.
func (c *Client) sessionName(session, space string) string {
	if strings.HasPrefix(session, "spaces/") {
		return session
	}
	return c.spaceName(space) + "/sessions/" + session
}

// modelName gives `models/{model}` for an id or a name, and nothing for the default model.
func modelName(model string) string {
	if model == "" {
		return ""
	}
	return prefixed("models/", model)
}

// spaceOf gives the name of the space of a memory or a session.
func spaceOf(name string) string {
	space, _, _ := strings.Cut(name, "/memories/")
	space, _, _ = strings.Cut(space, "/sessions/")
	return space
}

func prefixed(prefix, id string) string {
	if strings.HasPrefix(id, prefix) {
		return id
	}
	return prefix + id
}
