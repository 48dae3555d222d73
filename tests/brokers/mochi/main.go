// An MQTT broker beside Mosquitto, which announces a highest QoS and refuses topics by a reason. A file says which, and is read again at each
// CONNECT and PUBLISH, so that it can be put right while the broker runs:
//
//	2 secret/
//
// is the highest QoS, and what the topics begin with that nobody may publish to, if there is any.
//
//	mqtt-broker -port 1883 -settings FILE
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// rules lets everybody in, and nobody publish below the denied topic.
type rules struct {
	mqtt.HookBase
	file         string
	capabilities *mqtt.Capabilities
}

func (r *rules) ID() string { return "rules" }

func (r *rules) Provides(event byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck}, []byte{event})
}

func (r *rules) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool {
	maxQos, _ := r.read()
	r.capabilities.MaximumQos = maxQos
	return true
}

func (r *rules) OnACLCheck(_ *mqtt.Client, topic string, write bool) bool {
	_, denied := r.read()
	return !write || denied == "" || !strings.HasPrefix(topic, denied)
}

func (r *rules) read() (maxQos byte, denied string) {
	text, err := os.ReadFile(r.file)
	if err != nil {
		panic(err)
	}
	fmt.Sscan(string(text), &maxQos, &denied)
	return maxQos, denied
}

func main() {
	port := flag.Int("port", 1883, "the port, on the loopback interface")
	settings := flag.String("settings", "", "the file with the settings")
	flag.Parse()
	if err := serve(*port, *settings); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(port int, settings string) error {
	capabilities := mqtt.NewDefaultServerCapabilities()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	server := mqtt.New(&mqtt.Options{Capabilities: capabilities, Logger: logger})
	if err := server.AddHook(&rules{file: settings, capabilities: capabilities}, nil); err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	if err := server.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: address})); err != nil {
		return err
	}
	if err := server.Serve(); err != nil {
		return err
	}
	fmt.Println("listening on", address)
	select {}
}
