// Command meshwright-kubernetes is a real Kubernetes control plane for one machine, for the demo and the tests: kube-apiserver with etcd in the
// same process, or kube-controller-manager. The first argument says which, the rest are that program's own flags.
package main

import (
	"fmt"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

const usage = "usage: meshwright-kubernetes apiserver ETCD-FOLDER ETCD-PORT FLAGS... | controller-manager FLAGS..."

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	program, arguments := os.Args[1], os.Args[2:]
	switch {
	case program == "apiserver" && len(arguments) >= 2:
		startEtcd(arguments[0], arguments[1])
		os.Args = append([]string{"kube-apiserver"}, arguments[2:]...)
		os.Args = append(os.Args, "--etcd-servers=http://127.0.0.1:"+arguments[1])
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case program == "controller-manager":
		os.Args = append([]string{"kube-controller-manager"}, arguments...)
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	default:
		fail(usage)
	}
}

// startEtcd keeps the cluster's state in a folder, on loopback only. It does not sync to disk: no such cluster outlives a power cut.
func startEtcd(folder string, port string) {
	config := embed.NewConfig()
	config.Dir = folder
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	client := url.URL{Scheme: "http", Host: "127.0.0.1:" + port}
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls = []url.URL{client}
	config.AdvertiseClientUrls = []url.URL{client}
	config.ListenPeerUrls = []url.URL{peer}
	config.AdvertisePeerUrls = []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		fail("etcd does not start: " + err.Error())
	}
	<-server.Server.ReadyNotify()
}

func fail(line string) {
	fmt.Fprintln(os.Stderr, line)
	os.Exit(2)
}
