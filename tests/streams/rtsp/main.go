// An RTSP server, to which one peer publishes and from which others read, over TCP and UDP:
//
//	rtsp-server -port 8554 -auth digest -user NAME -password PASSWORD -clock 5s -lose 20
//
// The path is free, and each has one publisher at a time. When it goes, its readers are closed. All requests need the password, unless
// -auth is none. Readers get a sender report every second, in which the clock is ahead of this machine's by -clock, and with -lose N they
// miss each Nth packet.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// ntpEpoch is 1900 in seconds before 1970.
const ntpEpoch = 2208988800

// methods are the values of -auth.
var methods = map[string][]auth.ValidateMethod{
	"none":   {},
	"basic":  {auth.ValidateMethodBasic},
	"digest": {auth.ValidateMethodDigestMD5},
}

// feed is what one peer publishes.
type feed struct {
	stream    *gortsplib.ServerStream
	publisher *gortsplib.ServerSession
}

type server struct {
	rtsp           gortsplib.Server
	methods        []auth.ValidateMethod
	user, password string
	clock          time.Duration
	lose           int

	mutex sync.Mutex
	feeds map[string]feed
}

// answer with a status alone.
func answer(status base.StatusCode) *base.Response {
	return &base.Response{StatusCode: status}
}

// refuse answers a request without the password, and is nil for one with it.
func (s *server) refuse(conn *gortsplib.ServerConn, request *base.Request) *base.Response {
	if len(s.methods) == 0 {
		return nil
	}
	nonce, known := conn.UserData().(string)
	if !known {
		nonce, _ = auth.GenerateNonce()
		conn.SetUserData(nonce)
	}
	if auth.Validate(request, s.user, s.password, s.methods, "cameras", nonce) == nil {
		return nil
	}
	refusal := answer(base.StatusUnauthorized)
	refusal.Header = base.Header{"WWW-Authenticate": auth.GenerateWWWAuthenticate(s.methods, "cameras", nonce)}
	return refusal
}

// find gives what is published to the path, or the answer that there is nothing.
func (s *server) find(path string) (*base.Response, *gortsplib.ServerStream, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if feed, found := s.feeds[path]; found {
		return answer(base.StatusOK), feed.stream, nil
	}
	return answer(base.StatusNotFound), nil, nil
}

func (s *server) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if refusal := s.refuse(ctx.Conn, ctx.Request); refusal != nil {
		return refusal, nil, nil
	}
	return s.find(ctx.Path)
}

func (s *server) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if refusal := s.refuse(ctx.Conn, ctx.Request); refusal != nil {
		return refusal, nil, nil
	}
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return answer(base.StatusOK), nil, nil
	}
	fmt.Println("reads", ctx.Path, "by", ctx.Transport)
	return s.find(ctx.Path)
}

func (s *server) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return answer(base.StatusOK), nil
}

func (s *server) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	if refusal := s.refuse(ctx.Conn, ctx.Request); refusal != nil {
		return refusal, nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if old, found := s.feeds[ctx.Path]; found {
		old.stream.Close()
		old.publisher.Close()
	}
	s.feeds[ctx.Path] = feed{gortsplib.NewServerStream(&s.rtsp, ctx.Description), ctx.Session}
	return answer(base.StatusOK), nil
}

func (s *server) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	s.mutex.Lock()
	stream := s.feeds[ctx.Path].stream
	s.mutex.Unlock()
	var reported time.Time
	packets := 0
	ctx.Session.OnPacketRTPAny(func(media *description.Media, _ format.Format, packet *rtp.Packet) {
		packets++
		if s.lose == 0 || packets%s.lose != 0 {
			stream.WritePacketRTP(media, packet)
		}
		if now := time.Now(); now.Sub(reported) > time.Second {
			reported = now
			stream.WritePacketRTCP(media, &rtcp.SenderReport{
				SSRC: packet.SSRC, NTPTime: ntp(now.Add(s.clock)), RTPTime: packet.Timestamp,
			})
		}
	})
	fmt.Println("published", ctx.Path)
	return answer(base.StatusOK), nil
}

func (s *server) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for path, feed := range s.feeds {
		if feed.publisher == ctx.Session {
			feed.stream.Close()
			delete(s.feeds, path)
			fmt.Println("unpublished", path)
		}
	}
}

// ntp is a time as RTCP has it: seconds and their 2^32nd parts.
func ntp(now time.Time) uint64 {
	return uint64(now.Unix()+ntpEpoch)<<32 | uint64(now.Nanosecond())<<32/1_000_000_000
}

// listenUDP binds an even port and the one after it, as RTP and RTCP have them.
func listenUDP() (rtpConn, rtcpConn net.PacketConn, err error) {
	for range 100 {
		rtpConn, err = net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		port := rtpConn.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			rtcpConn, err = net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port+1))
			if err == nil {
				return rtpConn, rtcpConn, nil
			}
		}
		rtpConn.Close()
	}
	return nil, nil, fmt.Errorf("no two neighbouring UDP ports are free")
}

// run listens on ports that are bound here, so that the system can pick them.
func (s *server) run(port int) error {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	rtpConn, rtcpConn, err := listenUDP()
	if err != nil {
		return err
	}
	s.rtsp.Handler = s
	s.rtsp.DisableRTCPSenderReports = true
	s.rtsp.RTSPAddress = listener.Addr().String()
	s.rtsp.UDPRTPAddress = rtpConn.LocalAddr().String()
	s.rtsp.UDPRTCPAddress = rtcpConn.LocalAddr().String()
	s.rtsp.Listen = func(string, string) (net.Listener, error) { return listener, nil }
	s.rtsp.ListenPacket = func(_, address string) (net.PacketConn, error) {
		if address == s.rtsp.UDPRTPAddress {
			return rtpConn, nil
		}
		return rtcpConn, nil
	}
	if err := s.rtsp.Start(); err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	return s.rtsp.Wait()
}

func main() {
	port := flag.Int("port", 0, "the port, on the loopback interface; 0 for any")
	method := flag.String("auth", "none", "how peers authenticate: none, basic or digest")
	user := flag.String("user", "", "their name")
	password := flag.String("password", "", "their password")
	clock := flag.Duration("clock", 0, "how far the clock of the sender reports is ahead")
	lose := flag.Int("lose", 0, "each packet of this number is lost; 0 for none")
	flag.Parse()
	allowed, known := methods[*method]
	if !known {
		fmt.Fprintln(os.Stderr, "-auth is none, basic or digest, and not", *method)
		os.Exit(2)
	}
	s := &server{methods: allowed, user: *user, password: *password, clock: *clock, lose: *lose, feeds: map[string]feed{}}
	if err := s.run(*port); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
