package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
)

// secured is the server that wants a credential.
type secured struct {
	address, masterKey string
}

// keyedClients are those of the secured server, by their credentials.
type keyedClients struct {
	address, space string
	open           map[string]*quipu.Client
}

// client sends what the key of a step stands for, or without one no credential.
func (c *keyedClients) client(key *string, variables map[string]any) (*quipu.Client, error) {
	if c.address == "" {
		return nil, errors.New("needs QUIPU_SECURED_ADDRESS")
	}
	credential, options := "", []quipu.Option{quipu.WithSpace(c.space)}
	if key != nil {
		filled, err := substitute(*key, variables)
		if err != nil {
			return nil, err
		}
		credential = fmt.Sprint(filled)
		options = append(options, quipu.WithAPIKey(credential))
	}
	if client, isOpen := c.open[credential]; isOpen {
		return client, nil
	}
	client, err := quipu.Connect(c.address, options...)
	if err == nil {
		c.open[credential] = client
	}
	return client, err
}

func (c *keyedClients) close() {
	for _, client := range c.open {
		client.Close()
	}
}

func wait(with *arguments) error {
	seconds, _ := with.value("seconds")
	length := with.seconds("seconds", seconds)
	if err := with.problem(); err != nil {
		return err
	}
	time.Sleep(length)
	return nil
}

func createTenant(i *invocation) (any, error) {
	tenant := i.with.text("tenant")
	options := &quipu.TenantOptions{DisplayName: i.with.text("display_name")}
	if _, isGiven := i.with.value("guard_policy"); isGiven {
		options.GuardPolicy = &quipu.GuardPolicy{}
		i.with.message("guard_policy", options.GuardPolicy)
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Admin().CreateTenant(i.ctx, tenant, options))
}

var roles = map[string]quipu.APIKeyRole{"read": quipu.RoleReader, "write": quipu.RoleWriter, "admin": quipu.RoleAdmin}

func createAPIKey(i *invocation) (any, error) {
	tenant, role := i.with.text("tenant"), roles[i.with.text("role")]
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return newSecret(i.client.Admin().CreateAPIKey(i.ctx, tenant, &quipu.KeyOptions{Role: role}))
}

func rotateAPIKey(i *invocation) (any, error) {
	key := i.with.text("key")
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return newSecret(i.client.Admin().RotateAPIKey(i.ctx, key, 0))
}

func revokeAPIKey(i *invocation) (any, error) {
	key := i.with.text("key")
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Admin().RevokeAPIKey(i.ctx, key))
}

func newSecret(key *quipu.APIKey, secret string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	made, err := plain(key)
	return map[string]any{"key": made, "secret": secret}, err
}
