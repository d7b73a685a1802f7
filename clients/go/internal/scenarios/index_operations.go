package main

import "github.com/quipu-memory/quipu/clients/go"

func describeIndex(i *invocation) (any, error) {
	space := i.with.id("space")
	options := &quipu.DescribeIndexOptions{RecallSample: int32(i.with.number("recall_sample"))}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.DescribeIndex(i.ctx, space, options))
}
