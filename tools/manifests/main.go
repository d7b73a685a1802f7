// Command manifests reads Kubernetes manifests from standard input and refuses what Kubernetes would not understand:
// kinds that do not exist, unknown fields, fields given twice, and values of the wrong type. Kinds of other groups than
// Kubernetes's own are listed, and not looked into.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	plain "sigs.k8s.io/yaml"
)

func main() {
	if err := check(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(in io.Reader, out io.Writer) error {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := plain.Unmarshal(document, &head); err != nil {
			return fmt.Errorf("document %d: %w", number, err)
		}
		if head.Kind == "" {
			continue // nothing but comments
		}
		_, _, err = decoder.Decode(document, nil, nil)
		foreign := strings.Contains(head.APIVersion, ".") && !strings.Contains(head.APIVersion, ".k8s.io/")
		switch {
		case err == nil:
			fmt.Fprintf(out, "checked %s %s\n", head.APIVersion, head.Kind)
		case runtime.IsNotRegisteredError(err) && foreign:
			fmt.Fprintf(out, "foreign %s %s\n", head.APIVersion, head.Kind)
		default:
			return fmt.Errorf("document %d, %s %s: %w", number, head.APIVersion, head.Kind, err)
		}
	}
}
