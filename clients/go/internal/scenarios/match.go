package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// match says where what was found differs from what was expected.
func match(path string, expected, found any) error {
	switch expected := expected.(type) {
	case map[string]any:
		return matchMapping(path, expected, found)
	case []any:
		return matchList(path, expected, found)
	}
	if !equal(expected, found) {
		return mismatch(path, expected, found)
	}
	return nil
}

func matchMapping(path string, expected map[string]any, found any) error {
	fields, _ := found.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(expected)) {
		if check, isCheck := checks[key]; isCheck {
			if !check(expected[key], found) {
				return mismatch(path, map[string]any{key: expected[key]}, found)
			}
			continue
		}
		if strings.HasPrefix(key, "$") {
			return fmt.Errorf("%s: there is no expectation %q", path, key)
		}
		if err := match(path+"."+key, expected[key], fields[key]); err != nil {
			return err
		}
	}
	if fields == nil && len(expected) == 0 {
		return mismatch(path, expected, found)
	}
	return nil
}

func matchList(path string, expected []any, found any) error {
	items, isList := found.([]any)
	if !isList || len(items) != len(expected) {
		return mismatch(path, expected, found)
	}
	for i := range expected {
		if err := match(fmt.Sprintf("%s.%d", path, i), expected[i], items[i]); err != nil {
			return err
		}
	}
	return nil
}

// checks are the expectations with a name; each gets its argument and what was found.
var checks map[string]func(argument, found any) bool

func init() { // has refers to match
	checks = map[string]func(argument, found any) bool{
		"$any":   func(_, found any) bool { return found != nil },
		"$none":  func(_, found any) bool { return found == nil },
		"$size":  hasSize,
		"$least": func(least, found any) bool { return compares(found, least, func(a, b float64) bool { return a >= b }) },
		"$most":  func(most, found any) bool { return compares(found, most, func(a, b float64) bool { return a <= b }) },
		"$has":   has,
	}
}

func hasSize(size, found any) bool {
	switch found := found.(type) {
	case string:
		return equal(size, len([]rune(found)))
	case []any:
		return equal(size, len(found))
	case map[string]any:
		return equal(size, len(found))
	}
	return false
}

func compares(found, limit any, holds func(a, b float64) bool) bool {
	a, isNumber := number(found)
	b, isLimit := number(limit)
	return isNumber && isLimit && holds(a, b)
}

func has(part, found any) bool {
	switch found := found.(type) {
	case string:
		return strings.Contains(found, fmt.Sprint(part))
	case []any:
		return slices.ContainsFunc(found, func(item any) bool { return match("", part, item) == nil })
	}
	return false
}

// equal compares scalars; numbers and times by value, however they are written.
func equal(expected, found any) bool {
	switch expected := expected.(type) {
	case string:
		return expected == found
	case time.Time:
		moment, err := toTime(found)
		return err == nil && moment.Equal(expected)
	case bool, nil:
		return expected == found
	}
	return compares(found, expected, func(a, b float64) bool { return a == b })
}

// number reads a number, also one that JSON writes as text.
func number(value any) (float64, bool) {
	switch value := value.(type) {
	case int:
		return float64(value), true
	case int32:
		return float64(value), true
	case int64:
		return float64(value), true
	case float64:
		return value, true
	case string:
		read, err := strconv.ParseFloat(value, 64)
		return read, err == nil
	}
	return 0, false
}

func mismatch(path string, expected, found any) error {
	return fmt.Errorf("%s: expected %s, found %s", path, shown(expected), shown(found))
}

// shown is a value for people, cut when it is long.
func shown(value any) string {
	const most = 500
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
