package main

import (
	"bytes"
	"os"

	"gopkg.in/yaml.v3"
)

// scenario is a file.
type scenario struct {
	Name  string `yaml:"scenario"`
	Steps []step `yaml:"steps"`
}

// step is one operation and what must come of it.
type step struct {
	Do     string         `yaml:"do"`
	With   map[string]any `yaml:"with"`
	As     string         `yaml:"as"`
	Client string         `yaml:"client"`
	Key    *string        `yaml:"key"`
	Take   *int           `yaml:"take"`
	Expect any            `yaml:"expect"`
	Error  map[string]any `yaml:"error"`
}

func read(file string) (scenario, error) {
	var found scenario
	content, err := os.ReadFile(file)
	if err != nil {
		return found, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	return found, decoder.Decode(&found)
}
