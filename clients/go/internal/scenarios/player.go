package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/quipu-memory/quipu/clients/go"
)

// errUnsayable ends a scenario that the client has no words for; it neither passed nor failed.
var errUnsayable = errors.New("the Go client cannot say this")

// How long a server may take to stop.
const longestStop = 60 * time.Second

// player plays one scenario.
type player struct {
	first, second *quipu.Client
	keyed         keyedClients
	restartURL    string
	variables     map[string]any
}

func newPlayer(env environment) (*player, error) {
	space := "scenario-" + uuid.NewString()
	first, err := quipu.Connect(env.address, quipu.WithSpace(space))
	if err != nil {
		return nil, err
	}
	made := &player{first: first, restartURL: env.restart, variables: map[string]any{"space": space}}
	made.variables["master_key"] = env.secured.masterKey
	made.keyed = keyedClients{address: env.secured.address, space: space, open: map[string]*quipu.Client{}}
	if env.secondAddress != "" {
		made.second, err = quipu.Connect(env.secondAddress, quipu.WithSpace(space))
	}
	return made, err
}

func (p *player) close() {
	p.first.Close()
	if p.second != nil {
		p.second.Close()
	}
	p.keyed.close()
}

// play stops at the first step that does not go as it should.
func (p *player) play(ctx context.Context, played scenario) error {
	for i, step := range played.Steps {
		if err := p.step(ctx, step); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, step.Do, err)
		}
	}
	return nil
}

func (p *player) step(ctx context.Context, step step) error {
	if step.Do == "restart" {
		return p.restart(ctx)
	}
	if step.Do == "wait" {
		return wait(newArguments(step.With))
	}
	result, failure := p.call(ctx, step)
	if failure != nil || step.Error != nil {
		return p.compareFailure(step, result, failure)
	}
	if step.As != "" {
		p.variables[step.As] = result
	}
	if step.Expect == nil {
		return nil
	}
	expected, err := substitute(step.Expect, p.variables)
	if err != nil {
		return err
	}
	return match("result", expected, result)
}

func (p *player) call(ctx context.Context, step step) (any, error) {
	perform, isKnown := operations[step.Do]
	if !isKnown {
		return nil, fmt.Errorf("there is no operation %q", step.Do)
	}
	client, err := p.client(step)
	if err != nil {
		return nil, err
	}
	given, err := substitute(step.With, p.variables)
	if err != nil {
		return nil, err
	}
	with := newArguments(given)
	if seconds, isGiven := with.value("timeout"); isGiven {
		limited, cancel := context.WithTimeout(ctx, with.seconds("timeout", seconds))
		defer cancel()
		ctx = limited
	}
	return perform(&invocation{ctx: ctx, client: client, with: with, take: step.Take})
}

func (p *player) client(step step) (*quipu.Client, error) {
	name := step.Client
	if name == "secured" {
		return p.keyed.client(step.Key, p.variables)
	}
	switch {
	case name == "":
		return p.first, nil
	case name == "second" && p.second != nil:
		return p.second, nil
	case name == "second":
		return nil, errors.New("needs QUIPU_SECOND_ADDRESS")
	}
	return nil, fmt.Errorf("there is no client %q", name)
}

func (p *player) restart(ctx context.Context) error {
	if p.restartURL == "" {
		return errors.New("needs QUIPU_RESTART")
	}
	ctx, cancel := context.WithTimeout(ctx, longestStop)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.restartURL, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the restart was answered with %s", response.Status)
	}
	return nil
}
