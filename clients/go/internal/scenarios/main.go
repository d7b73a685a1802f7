// Command scenarios plays the scenarios of clients/scenarios through the Go client, as their README says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/quipu-memory/quipu/clients/go"
)

// environment is what a runner is told.
type environment struct {
	address       string
	secondAddress string
	secured       secured
	restart       string
	folder        string
	report        string
}

func main() {
	noneFailed, err := run(context.Background(), environment{
		address:       os.Getenv("QUIPU_ADDRESS"),
		secondAddress: os.Getenv("QUIPU_SECOND_ADDRESS"),
		secured:       secured{os.Getenv("QUIPU_SECURED_ADDRESS"), os.Getenv("QUIPU_SECURED_MASTER_KEY")},
		restart:       os.Getenv("QUIPU_RESTART"),
		folder:        os.Getenv("QUIPU_SCENARIOS"),
		report:        os.Getenv("QUIPU_REPORT"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !noneFailed {
		os.Exit(1)
	}
}

// outcome is a line of the report. Passed is nil when the client has no words for a step.
type outcome struct {
	Scenario string `json:"scenario"`
	Passed   *bool  `json:"passed"`
	Message  string `json:"message"`
}

func outcomeOf(scenario string, err error) outcome {
	if err == nil {
		return outcome{scenario, quipu.Ptr(true), ""}
	}
	if errors.Is(err, errUnsayable) {
		return outcome{scenario, nil, err.Error()}
	}
	return outcome{scenario, quipu.Ptr(false), err.Error()}
}

func (o outcome) hasFailed() bool {
	return o.Passed != nil && !*o.Passed
}

func run(ctx context.Context, env environment) (noneFailed bool, err error) {
	if env.address == "" || env.folder == "" {
		return false, fmt.Errorf("needs QUIPU_ADDRESS and QUIPU_SCENARIOS")
	}
	files, err := filepath.Glob(filepath.Join(env.folder, "*.yaml")) // sorted
	if err != nil || len(files) == 0 {
		return false, fmt.Errorf("no scenarios in %s: %w", env.folder, err)
	}
	report, err := openReport(env.report)
	if err != nil {
		return false, err
	}
	defer report.Close()
	noneFailed = true
	for _, file := range files {
		result := playFile(ctx, env, file)
		noneFailed = noneFailed && !result.hasFailed()
		if err := write(report, result); err != nil {
			return false, err
		}
	}
	return noneFailed, nil
}

// openReport gives the file of the report, or standard output when there is none.
func openReport(path string) (io.WriteCloser, error) {
	if path == "" {
		return os.Stdout, nil
	}
	return os.Create(path)
}

func write(report io.Writer, result outcome) error {
	if result.Message != "" {
		fmt.Fprintf(os.Stderr, "%s: %s\n", result.Scenario, result.Message)
	}
	return json.NewEncoder(report).Encode(result)
}

func playFile(ctx context.Context, env environment, file string) outcome {
	scenario, err := read(file)
	if err != nil {
		return outcomeOf(filepath.Base(file), err)
	}
	player, err := newPlayer(env)
	if err != nil {
		return outcomeOf(scenario.Name, err)
	}
	defer player.close()
	return outcomeOf(scenario.Name, player.play(ctx, scenario))
}
