// A gRPC client that dials a mapper's socket exactly as edgecore does.
//
// Usage: client SOCKET PROTO_DIR SCENARIO
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	// The types that configData may hold.
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

// edgecore gives each call ten seconds in all.
const timeout = 10 * time.Second

// The messages of v1 and v1alpha are the same on the wire.
var reflectionMethods = []string{
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
}

// A call of the scenario.
type call struct {
	RPC     string          `json:"rpc"`
	Request json.RawMessage `json:"request"`
}

// A line of the output.
type outcome struct {
	Dial       string          `json:"dial"`
	Connection int             `json:"connection"`
	RPC        string          `json:"rpc"`
	Code       string          `json:"code"`
	Message    string          `json:"message"`
	Response   json.RawMessage `json:"response"`
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: client SOCKET PROTO_DIR SCENARIO")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(socket, protoDir, scenario string) error {
	service, err := mapperService(protoDir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(scenario)
	if err != nil {
		return err
	}
	var calls []call
	if err := json.Unmarshal(text, &calls); err != nil {
		return fmt.Errorf("%s: %w", scenario, err)
	}
	for connection, rounds := range []int{2, 1} {
		if err := play(socket, connection+1, rounds, service, calls); err != nil {
			return err
		}
	}
	return nil
}

func mapperService(protoDir string) (protoreflect.ServiceDescriptor, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{protoDir}}),
	}
	files, err := compiler.Compile(context.Background(), "dmi/v1beta1/api.proto")
	if err != nil {
		return nil, err
	}
	service := files[0].Services().ByName("DeviceMapperService")
	if service == nil {
		return nil, fmt.Errorf("%s has no DeviceMapperService", protoDir)
	}
	return service, nil
}

// edgecore's way to dial, deprecated options and all: the target is the bare path.
func dial(socket string) (*grpc.ClientConn, error) {
	return grpc.Dial(socket, grpc.WithInsecure(), grpc.WithDialer(func(path string, timeout time.Duration) (net.Conn, error) {
		return net.DialTimeout("unix", path, timeout)
	}))
}

func play(socket string, connection, rounds int, service protoreflect.ServiceDescriptor, calls []call) error {
	conn, err := dial(socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	for ; rounds > 0; rounds-- {
		for _, call := range calls {
			response, err := invoke(conn, service, call)
			if err := report(connection, call.RPC, response, err); err != nil {
				return err
			}
		}
	}
	response, err := listServices(conn)
	return report(connection, "ServerReflectionInfo", response, err)
}

func invoke(conn *grpc.ClientConn, service protoreflect.ServiceDescriptor, call call) ([]byte, error) {
	method := service.Methods().ByName(protoreflect.Name(call.RPC))
	if method == nil {
		return nil, fmt.Errorf("%s has no %s", service.FullName(), call.RPC)
	}
	request, response := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := protojson.Unmarshal(call.Request, request); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := conn.Invoke(ctx, fmt.Sprintf("/%s/%s", service.FullName(), call.RPC), request, response); err != nil {
		return nil, err
	}
	return protojson.Marshal(response)
}

// Asks with the newest version of the reflection service that the server knows.
func listServices(conn *grpc.ClientConn) (names []byte, err error) {
	for _, method := range reflectionMethods {
		if names, err = listServicesBy(conn, method); status.Code(err) != codes.Unimplemented {
			break
		}
	}
	return names, err
}

func listServicesBy(conn *grpc.ClientConn, method string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return nil, err
	}
	request := &reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{ListServices: ""},
	}
	if err := stream.SendMsg(request); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	response := &reflectionpb.ServerReflectionResponse{}
	if err := stream.RecvMsg(response); err != nil {
		return nil, err
	}
	names := []string{}
	for _, service := range response.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	return json.Marshal(map[string][]string{"services": names})
}

// Prints a call's outcome. Only an error that did not come from gRPC is returned.
func report(connection int, rpc string, response []byte, err error) error {
	failure, ok := status.FromError(err)
	if !ok {
		return err
	}
	if response == nil {
		response = []byte("null")
	}
	line, err := json.Marshal(outcome{
		Dial:       "path",
		Connection: connection,
		RPC:        rpc,
		Code:       codeName(failure),
		Message:    failure.Message(),
		Response:   response,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(line))
	return err
}

// The name as the gRPC specification and the other languages write it: NOT_FOUND, where Go says NotFound.
func codeName(s *status.Status) string {
	if s.Code() == codes.OK {
		return "OK"
	}
	var name strings.Builder
	for n, letter := range s.Code().String() {
		if n > 0 && 'A' <= letter && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}
