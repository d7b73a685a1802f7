// Command scenarios plays the scenarios of clients/scenarios through the Go client, as their README says.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// environment is what a runner is told.
type environment struct {
	address       string
	secondAddress string
	restart       string
	folder        string
	report        string
}

func main() {
	allPassed, err := run(context.Background(), environment{
		address:       os.Getenv("QUIPU_ADDRESS"),
		secondAddress: os.Getenv("QUIPU_SECOND_ADDRESS"),
		restart:       os.Getenv("QUIPU_RESTART"),
		folder:        os.Getenv("QUIPU_SCENARIOS"),
		report:        os.Getenv("QUIPU_REPORT"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !allPassed {
		os.Exit(1)
	}
}

// outcome is a line of the report.
type outcome struct {
	Scenario string `json:"scenario"`
	Passed   bool   `json:"passed"`
	Message  string `json:"message"`
}

func run(ctx context.Context, env environment) (allPassed bool, err error) {
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
	allPassed = true
	for _, file := range files {
		result := playFile(ctx, env, file)
		allPassed = allPassed && result.Passed
		if err := write(report, result); err != nil {
			return false, err
		}
	}
	return allPassed, nil
}

// openReport gives the file of the report, or standard output when there is none.
func openReport(path string) (io.WriteCloser, error) {
	if path == "" {
		return os.Stdout, nil
	}
	return os.Create(path)
}

func write(report io.Writer, result outcome) error {
	if !result.Passed {
		fmt.Fprintf(os.Stderr, "%s: %s\n", result.Scenario, result.Message)
	}
	return json.NewEncoder(report).Encode(result)
}

func playFile(ctx context.Context, env environment, file string) outcome {
	scenario, err := read(file)
	if err != nil {
		return outcome{filepath.Base(file), false, err.Error()}
	}
	player, err := newPlayer(env)
	if err != nil {
		return outcome{scenario.Name, false, err.Error()}
	}
	defer player.close()
	if err := player.play(ctx, scenario); err != nil {
		return outcome{scenario.Name, false, err.Error()}
	}
	return outcome{scenario.Name, true, ""}
}
