package main

import (
	"reflect"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func fromYAML(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestExpectations(t *testing.T) {
	for _, one := range []struct {
		expected, found string
		matches         bool
	}{
		{"{a: 1}", "{a: '1', b: 2}", true}, // JSON writes large numbers as text
		{"{a: 1}", "{a: 2}", false},
		{"{a: 1}", "{}", false},
		{"{}", "x", false},
		{"[1, 2]", "[1, 2.0]", true},
		{"[1]", "[1, 2]", false},
		{"{a: {$any: true}}", "{a: x}", true},
		{"{a: {$any: true}}", "{}", false},
		{"{a: {$none: true}}", "{}", true},
		{"{a: {$none: true}}", "{a: x}", false},
		{"{$size: 2}", "[a, b]", true},
		{"{$size: 2}", "äö", true},
		{"{$size: 2}", "abc", false},
		{"{$least: 0.5, $most: 1}", "0.7", true},
		{"{$least: 0.5, $most: 1}", "1.1", false},
		{"{$least: 0.5}", "x", false},
		{"{$has: ell}", "hello", true},
		{"{$has: {a: 1}}", "[{a: 1, b: 2}]", true},
		{"{$has: {a: 1}}", "[{a: 2}]", false},
		{"'1'", "1", false},
		{"true", "'true'", false},
		{"2024-05-08T13:56:00Z", "'2024-05-08T13:56:00Z'", true},
		{"{$wrong: 1}", "1", false},
	} {
		err := match("result", fromYAML(t, one.expected), fromYAML(t, one.found))
		if (err == nil) != one.matches {
			t.Errorf("%s and %s: %v", one.expected, one.found, err)
		}
	}
}

func TestVariables(t *testing.T) {
	variables := map[string]any{"space": "s1", "found": map[string]any{"hits": []any{map[string]any{"score": 0.5}}}}
	for _, one := range []struct {
		text     string
		expected any
	}{
		{"'${found.hits.0.score}'", 0.5},
		{"'spaces/${space}/memories/m'", "spaces/s1/memories/m"},
		{"{'${space}': [1]}", map[string]any{"s1": []any{1}}},
		{"{ $repeat: 'ab ', times: 3 }", "ab ab ab "},
		{"{ $count: 2, content: 'note ${n}' }", []any{
			map[string]any{"content": "note 0"}, map[string]any{"content": "note 1"},
		}},
		{"{ $time: '2024-05-08T13:56:00Z' }", time.Date(2024, 5, 8, 13, 56, 0, 0, time.UTC)},
	} {
		found, err := substitute(fromYAML(t, one.text), variables)
		if err != nil || !reflect.DeepEqual(found, one.expected) {
			t.Errorf("%s became %v, %v", one.text, found, err)
		}
	}
	if found, err := substitute("${nothing}", variables); err == nil {
		t.Errorf("became %v", found)
	}
}

func TestArgumentsThatDoNotExistAreFound(t *testing.T) {
	with := newArguments(map[string]any{"content": "x", "contnet": "y"})
	with.text("content")
	if with.problem() == nil {
		t.Error("a wrong name was let through")
	}
}
