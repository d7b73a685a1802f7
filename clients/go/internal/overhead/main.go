// Command overhead measures the client against its generated stub, over one connection. Side in bench/overhead says how
// it is spoken to.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc"
)

// times are nanoseconds of each call.
type times struct {
	Facade []int64 `json:"facade"`
	Stub   []int64 `json:"stub"`
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	calls, err := strconv.Atoi(os.Getenv("QUIPU_CALLS"))
	if err != nil {
		return err
	}
	var connection *grpc.ClientConn
	client, err := quipu.Connect(os.Getenv("QUIPU_ADDRESS"), quipu.WithDialOptions(catch(&connection)))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Models(ctx); err != nil {
		return err
	}
	stub := quipuv1.NewEmbeddingServiceClient(connection)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		taken, err := measure(ctx, client, stub, calls)
		if err != nil {
			return err
		}
		line, err := json.Marshal(taken)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return nil
}

// catch takes the connection from the first call that passes.
func catch(connection **grpc.ClientConn) grpc.DialOption {
	return grpc.WithUnaryInterceptor(func(
		ctx context.Context, method string, request, response any,
		passing *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
	) error {
		if *connection == nil {
			*connection = passing
		}
		return invoke(ctx, method, request, response, passing, options...)
	})
}

// measure makes calls through both in turn.
func measure(
	ctx context.Context, client *quipu.Client, stub quipuv1.EmbeddingServiceClient, calls int,
) (*times, error) {
	taken := &times{}
	facade := func() error {
		_, err := client.Models(ctx)
		return err
	}
	bare := func() error {
		_, err := stub.ListModels(ctx, &quipuv1.ListModelsRequest{})
		return err
	}
	turns := []turn{{facade, &taken.Facade}, {bare, &taken.Stub}}
	for range calls {
		for _, turn := range turns {
			start := time.Now()
			if err := turn.ask(); err != nil {
				return nil, err
			}
			*turn.taken = append(*turn.taken, time.Since(start).Nanoseconds())
		}
		slices.Reverse(turns)
	}
	return taken, nil
}

type turn struct {
	ask   func() error
	taken *[]int64
}
