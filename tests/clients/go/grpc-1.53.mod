// Built with grpc-go v1.53.0, as KubeEdge v1.16.
module mapper-client

go 1.22

require (
	github.com/bufbuild/protocompile v0.14.1
	google.golang.org/grpc v1.53.0
	google.golang.org/protobuf v1.34.2
)

require (
	github.com/golang/protobuf v1.5.2 // indirect
	golang.org/x/net v0.5.0 // indirect
	golang.org/x/sync v0.8.0 // indirect
	golang.org/x/sys v0.4.0 // indirect
	golang.org/x/text v0.6.0 // indirect
	google.golang.org/genproto v0.0.0-20230110181048-76db0878b65f // indirect
)
