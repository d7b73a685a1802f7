package main

import (
	"strings"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

var policyFields = []string{
	"priority", "disabled", "older_than", "by_event_time", "importance_at_most", "session_idle_for", "kinds", "tags", "filter",
	"archived_for", "keep_at_most",
}

// policySettings are those of a step. Spans of time are in seconds.
func (a *arguments) policySettings() quipu.PolicySettings {
	settings := quipu.PolicySettings{
		Action:           quipu.RetentionAction(a.enum("action", "RETENTION_ACTION_", quipuv1.RetentionAction_value)),
		Priority:         int32(a.number("priority")),
		Disabled:         a.flag("disabled"),
		ByEventTime:      a.flag("by_event_time"),
		ImportanceAtMost: a.numberOrNil("importance_at_most"),
		Tags:             a.texts("tags"),
		Filter:           a.text("filter"),
		KeepAtMost:       int64(a.number("keep_at_most")),
	}
	for _, kind := range a.texts("kinds") {
		number := quipuv1.MemoryKind_value["MEMORY_KIND_"+strings.ToUpper(kind)]
		settings.Kinds = append(settings.Kinds, quipuv1.MemoryKind(number))
	}
	for name, length := range map[string]*time.Duration{
		"older_than":       &settings.OlderThan,
		"session_idle_for": &settings.SessionIdleFor,
		"archived_for":     &settings.ArchivedFor,
	} {
		if value, isGiven := a.value(name); isGiven {
			*length = a.seconds(name, value)
		}
	}
	return settings
}

func createRetentionPolicy(i *invocation) (any, error) {
	policy, settings := i.with.text("policy"), i.with.policySettings()
	options := &quipu.CreatePolicyOptions{Space: i.with.text("space"), RequestID: i.with.text("request_id")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.CreateRetentionPolicy(i.ctx, policy, settings, options))
}

func getRetentionPolicy(i *invocation) (any, error) {
	policy, options := i.with.id("policy"), &quipu.PolicyOptions{Space: i.with.text("space")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.GetRetentionPolicy(i.ctx, policy, options))
}

func retentionPolicies(i *invocation) (any, error) {
	options := &quipu.PoliciesOptions{Space: i.with.text("space"), PageSize: int32(i.with.number("page_size"))}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return listing(i.client.RetentionPolicies(i.ctx, options), i.take)
}

func updateRetentionPolicy(i *invocation) (any, error) {
	policy := i.with.id("policy")
	options := &quipu.UpdatePolicyOptions{
		Clear:     i.with.cleared(policyFields),
		Etag:      i.with.text("etag"),
		Space:     i.with.text("space"),
		RequestID: i.with.text("request_id"),
	}
	options.PolicySettings = i.with.policySettings()
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.UpdateRetentionPolicy(i.ctx, policy, options))
}

func deleteRetentionPolicy(i *invocation) (any, error) {
	policy := i.with.id("policy")
	options := &quipu.DeletePolicyOptions{
		Etag: i.with.text("etag"), Space: i.with.text("space"), RequestID: i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return nil, i.client.DeleteRetentionPolicy(i.ctx, policy, options)
}

// runRetention gives the last message of a run.
func runRetention(i *invocation) (any, error) {
	options := &quipu.RunRetentionOptions{Space: i.with.text("space"), DryRun: i.with.flag("dry_run")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	messages, err := quipu.Collect(i.client.RunRetention(i.ctx, options))
	if err != nil {
		return nil, err
	}
	return plain(messages[len(messages)-1])
}
