package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var reference = regexp.MustCompile(`\$\{([^}]+)\}`)

// substitute puts variables into a value of YAML, and makes what `$repeat`, `$count` and `$time` describe.
func substitute(value any, variables map[string]any) (any, error) {
	switch value := value.(type) {
	case string:
		return substituteText(value, variables)
	case []any:
		return substituteList(value, variables)
	case map[string]any:
		return substituteMapping(value, variables)
	}
	return value, nil
}

func substituteText(text string, variables map[string]any) (any, error) {
	if whole := reference.FindStringSubmatch(text); whole != nil && whole[0] == text {
		return lookUp(whole[1], variables)
	}
	var failure error
	replaced := reference.ReplaceAllStringFunc(text, func(part string) string {
		found, err := lookUp(part[2:len(part)-1], variables)
		if err != nil {
			failure = err
		}
		return fmt.Sprint(found)
	})
	return replaced, failure
}

func substituteList(list []any, variables map[string]any) (any, error) {
	made := make([]any, 0, len(list))
	for _, item := range list {
		replaced, err := substitute(item, variables)
		if err != nil {
			return nil, err
		}
		made = append(made, replaced)
	}
	return made, nil
}

func substituteMapping(mapping map[string]any, variables map[string]any) (any, error) {
	if count, isCount := mapping["$count"]; isCount {
		return counted(count, mapping, variables)
	}
	made := make(map[string]any, len(mapping))
	for key, item := range mapping {
		name, err := substituteText(key, variables)
		if err != nil {
			return nil, err
		}
		if made[fmt.Sprint(name)], err = substitute(item, variables); err != nil {
			return nil, err
		}
	}
	if text, isRepeat := made["$repeat"]; isRepeat {
		return repeated(text, made["times"])
	}
	if text, isTime := made["$time"]; isTime {
		return toTime(text)
	}
	return made, nil
}

// counted makes a list of the rest of a mapping, each with its own `${n}`.
func counted(count any, mapping map[string]any, variables map[string]any) (any, error) {
	times, isNumber := number(count)
	if !isNumber {
		return nil, fmt.Errorf("$count needs a number, not %v", count)
	}
	list := make([]any, 0, int(times))
	for n := range int(times) {
		item, inner := map[string]any{}, map[string]any{"n": n}
		for key, value := range mapping {
			if key != "$count" {
				item[key] = value
			}
		}
		for name, value := range variables {
			if name != "n" {
				inner[name] = value
			}
		}
		made, err := substitute(item, inner)
		if err != nil {
			return nil, err
		}
		list = append(list, made)
	}
	return list, nil
}

func repeated(text, times any) (any, error) {
	count, isNumber := number(times)
	if !isNumber {
		return nil, fmt.Errorf("$repeat needs times, not %v", times)
	}
	return strings.Repeat(fmt.Sprint(text), int(count)), nil
}

func toTime(value any) (time.Time, error) {
	if already, isTime := value.(time.Time); isTime {
		return already, nil
	}
	return time.Parse(time.RFC3339Nano, fmt.Sprint(value))
}

// lookUp follows a path of fields and places, such as found.hits.0.memory.
func lookUp(path string, variables map[string]any) (any, error) {
	var current any = variables
	for _, part := range strings.Split(path, ".") {
		next, isFound := inside(current, part)
		if !isFound {
			return nil, fmt.Errorf("there is no %q of ${%s}", part, path)
		}
		current = next
	}
	return current, nil
}

func inside(value any, part string) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		found, isFound := value[part]
		return found, isFound
	case []any:
		if place, err := strconv.Atoi(part); err == nil && place >= 0 && place < len(value) {
			return value[place], true
		}
	}
	return nil, false
}
