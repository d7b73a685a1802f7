package quipu

import (
	"fmt"
	"reflect"
	"time"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ToValue makes a value of metadata from a string, a bool, any number, a time.Time, a slice of them, or a
// *quipuv1.Value. It fails for other types and for numbers that a float64 cannot hold exactly; keep those as strings.
func ToValue(value any) (*quipuv1.Value, error) {
	switch value := value.(type) {
	case *quipuv1.Value:
		return value, nil
	case time.Time:
		return &quipuv1.Value{Kind: &quipuv1.Value_TimeValue{TimeValue: timestamppb.New(value)}}, nil
	}
	reflected := reflect.ValueOf(value)
	switch kind := reflected.Kind(); {
	case kind == reflect.String:
		return &quipuv1.Value{Kind: &quipuv1.Value_StringValue{StringValue: reflected.String()}}, nil
	case kind == reflect.Bool:
		return &quipuv1.Value{Kind: &quipuv1.Value_BoolValue{BoolValue: reflected.Bool()}}, nil
	case kind == reflect.Slice || kind == reflect.Array:
		return listValue(reflected)
	case reflected.CanInt() || reflected.CanUint() || reflected.CanFloat():
		return numberValue(reflected)
	}
	return nil, fmt.Errorf("metadata can hold strings, numbers, bools, times and slices of them, not %T", value)
}

// FromValue returns what a value of metadata holds: a string, a float64, a bool, a time.Time in UTC, or an []any of
// them. It is nil for a value that is not set.
func FromValue(value *quipuv1.Value) any {
	switch kind := value.GetKind().(type) {
	case *quipuv1.Value_StringValue:
		return kind.StringValue
	case *quipuv1.Value_NumberValue:
		return kind.NumberValue
	case *quipuv1.Value_BoolValue:
		return kind.BoolValue
	case *quipuv1.Value_TimeValue:
		return kind.TimeValue.AsTime()
	case *quipuv1.Value_ListValue:
		items := make([]any, 0, len(kind.ListValue.GetValues()))
		for _, item := range kind.ListValue.GetValues() {
			items = append(items, FromValue(item))
		}
		return items
	}
	return nil
}

// Metadata returns the metadata of a memory as FromValue gives its values.
func Metadata(memory *Memory) map[string]any {
	plain := make(map[string]any, len(memory.GetMetadata()))
	for key, value := range memory.GetMetadata() {
		plain[key] = FromValue(value)
	}
	return plain
}

func listValue(list reflect.Value) (*quipuv1.Value, error) {
	items := make([]*quipuv1.Value, 0, list.Len())
	for i := range list.Len() {
		item, err := ToValue(list.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return &quipuv1.Value{Kind: &quipuv1.Value_ListValue{ListValue: &quipuv1.ListValue{Values: items}}}, nil
}

func numberValue(number reflect.Value) (*quipuv1.Value, error) {
	float, isExact := exactly(number)
	if !isExact {
		return nil, fmt.Errorf("%v cannot be stored exactly as a number: store it as a string", number)
	}
	return &quipuv1.Value{Kind: &quipuv1.Value_NumberValue{NumberValue: float}}, nil
}

func exactly(number reflect.Value) (float float64, isExact bool) {
	switch {
	case number.CanFloat():
		float = number.Float()
		return float, float == float // NaN equals nothing
	case number.CanInt():
		float = float64(number.Int())
		return float, float < 1<<63 && int64(float) == number.Int()
	default:
		float = float64(number.Uint())
		return float, float < 1<<64 && uint64(float) == number.Uint()
	}
}
