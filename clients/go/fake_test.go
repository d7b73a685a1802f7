package quipu_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// fake is a server that keeps memories in a slice and finds those that share a word. It notes what it is asked.
type fake struct {
	quipuv1.UnimplementedMemoryServiceServer
	quipuv1.UnimplementedSearchServiceServer
	quipuv1.UnimplementedSpaceServiceServer
	quipuv1.UnimplementedEmbeddingServiceServer
	quipuv1.UnimplementedAdminServiceServer

	lock     sync.Mutex
	memories []*quipuv1.Memory
	requests []proto.Message
	headers  []metadata.MD
	deadline bool
	failures []error // ended with before anything is done, one for each call
	search   func(*quipuv1.SearchRequest, grpc.ServerStreamingServer[quipuv1.SearchResponse]) error
	watch    func(*quipuv1.WatchMemoriesRequest, watchStream) error
	ingest   func(ingestStream) error
}

// serve starts a fake and connects to it, until the end of the test.
func serve(t *testing.T, options ...quipu.Option) (*fake, *quipu.Client) {
	t.Helper()
	server := &fake{}
	client, stop := start(server, options...)
	t.Cleanup(stop)
	return server, client
}

func start(server *fake, options ...quipu.Option) (client *quipu.Client, stop func()) {
	address, stopServing := listen(server)
	client, err := quipu.Connect(address, options...)
	if err != nil {
		panic(err)
	}
	return client, func() {
		client.Close()
		stopServing()
	}
}

func listen(server *fake) (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	serving := grpc.NewServer(
		grpc.UnaryInterceptor(server.unary), grpc.StreamInterceptor(server.stream), grpc.MaxRecvMsgSize(16<<20),
	)
	quipuv1.RegisterMemoryServiceServer(serving, server)
	quipuv1.RegisterSearchServiceServer(serving, server)
	quipuv1.RegisterSpaceServiceServer(serving, server)
	quipuv1.RegisterEmbeddingServiceServer(serving, server)
	quipuv1.RegisterAdminServiceServer(serving, server)
	go serving.Serve(listener)
	return listener.Addr().String(), serving.Stop
}

func (f *fake) unary(
	ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	grpc.SetTrailer(ctx, metadata.Pairs("x-request-id", "call-1"))
	if err := f.note(ctx, request.(proto.Message)); err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func (f *fake) stream(
	service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) error {
	if info.FullMethod != quipuv1.SearchService_Search_FullMethodName {
		return handler(service, stream)
	}
	request := &quipuv1.SearchRequest{}
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	if err := f.note(stream.Context(), request); err != nil {
		return err
	}
	answer := f.search
	if answer == nil {
		answer = f.find
	}
	return answer(request, &grpc.GenericServerStream[quipuv1.SearchRequest, quipuv1.SearchResponse]{ServerStream: stream})
}

// note keeps what a call brought and gives the error it shall end with.
func (f *fake) note(ctx context.Context, request proto.Message) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	header, _ := metadata.FromIncomingContext(ctx)
	f.requests, f.headers = append(f.requests, proto.Clone(request)), append(f.headers, header)
	_, f.deadline = ctx.Deadline()
	if len(f.failures) == 0 {
		return nil
	}
	failure := f.failures[0]
	f.failures = f.failures[1:]
	return failure
}

// asked gives the requests of one kind.
func asked[M proto.Message](f *fake) []M {
	f.lock.Lock()
	defer f.lock.Unlock()
	var found []M
	for _, request := range f.requests {
		if one, isKind := request.(M); isKind {
			found = append(found, one)
		}
	}
	return found
}

func (f *fake) store(parent string, request *quipuv1.CreateMemoryRequest) *quipuv1.Memory {
	f.lock.Lock()
	defer f.lock.Unlock()
	stored := proto.Clone(request.GetMemory()).(*quipuv1.Memory)
	stored.Revision = int64(len(f.memories) + 1)
	id := request.GetMemoryId()
	if id == "" {
		id = fmt.Sprintf("m%d", stored.Revision)
	}
	stored.Name = parent + "/memories/" + id
	f.memories = append(f.memories, stored)
	return stored
}

func (f *fake) CreateMemory(
	_ context.Context, request *quipuv1.CreateMemoryRequest,
) (*quipuv1.CreateMemoryResponse, error) {
	return &quipuv1.CreateMemoryResponse{Memory: f.store(request.GetParent(), request)}, nil
}

func (f *fake) BatchCreateMemories(
	_ context.Context, request *quipuv1.BatchCreateMemoriesRequest,
) (*quipuv1.BatchCreateMemoriesResponse, error) {
	response := &quipuv1.BatchCreateMemoriesResponse{}
	for _, one := range request.GetRequests() {
		stored := f.store(request.GetParent(), one)
		response.Memories, response.Revision = append(response.Memories, stored), stored.GetRevision()
	}
	return response, nil
}

func (f *fake) get(name string) (*quipuv1.Memory, error) {
	place := slices.IndexFunc(f.memories, func(memory *quipuv1.Memory) bool { return memory.GetName() == name })
	if place < 0 {
		return nil, refusal(codes.NotFound, "MEMORY_NOT_FOUND", "there is no "+name)
	}
	return f.memories[place], nil
}

func (f *fake) GetMemory(_ context.Context, request *quipuv1.GetMemoryRequest) (*quipuv1.GetMemoryResponse, error) {
	memory, err := f.get(request.GetName())
	return &quipuv1.GetMemoryResponse{Memory: memory}, err
}

func (f *fake) BatchGetMemories(
	_ context.Context, request *quipuv1.BatchGetMemoriesRequest,
) (*quipuv1.BatchGetMemoriesResponse, error) {
	response := &quipuv1.BatchGetMemoriesResponse{}
	for _, name := range request.GetNames() {
		if memory, err := f.get(name); err == nil {
			response.Memories = append(response.Memories, memory)
		}
	}
	return response, nil
}

func (f *fake) UpdateMemory(
	_ context.Context, request *quipuv1.UpdateMemoryRequest,
) (*quipuv1.UpdateMemoryResponse, error) {
	return &quipuv1.UpdateMemoryResponse{Memory: request.GetMemory()}, nil
}

func (f *fake) DeleteMemory(context.Context, *quipuv1.DeleteMemoryRequest) (*quipuv1.DeleteMemoryResponse, error) {
	return &quipuv1.DeleteMemoryResponse{Revision: 9}, nil
}

// ListMemories has pages of two.
func (f *fake) ListMemories(
	_ context.Context, request *quipuv1.ListMemoriesRequest,
) (*quipuv1.ListMemoriesResponse, error) {
	start := len(request.GetPageToken())
	end := min(start+2, len(f.memories))
	response := &quipuv1.ListMemoriesResponse{Memories: f.memories[start:end]}
	if end < len(f.memories) {
		response.NextPageToken = strings.Repeat("x", end)
	}
	return response, nil
}

// find sends each memory that shares a word with the query, and the summary.
func (f *fake) find(
	request *quipuv1.SearchRequest, stream grpc.ServerStreamingServer[quipuv1.SearchResponse],
) error {
	words, sent := strings.Fields(strings.ToLower(request.GetText())), int32(0)
	for _, memory := range f.memories {
		content := strings.ToLower(memory.GetContent())
		if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(content, word) }) {
			sent++
			if err := stream.Send(&quipuv1.SearchResponse{Hits: []*quipuv1.Hit{{Memory: memory, Score: 1}}}); err != nil {
				return status.FromContextError(err).Err()
			}
		}
	}
	return stream.Send(&quipuv1.SearchResponse{Summary: &quipuv1.SearchSummary{HitCount: sent, Complete: true}})
}
