package main

import (
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	edgeappsv1alpha1 "github.com/kubeedge/api/apis/apps/v1alpha1"
)

// Checks the objects within, and that each override finds its container: KubeEdge passes over one that does not.
func (c *checker) checkEdgeApplication(application *edgeappsv1alpha1.EdgeApplication) error {
	var wrong []error
	containers := sets.New[string]()
	for index, manifest := range application.Spec.WorkloadTemplate.Manifests {
		if _, err := c.check(manifest.Raw); err != nil {
			wrong = append(wrong, fmt.Errorf("manifest %d: %w", index, err))
			continue
		}
		object, kind, err := c.decoder.Decode(manifest.Raw, nil, nil)
		if err != nil {
			return err
		}
		switch object := object.(type) {
		case *appsv1.Deployment:
			for _, container := range object.Spec.Template.Spec.Containers {
				containers.Insert(container.Name)
			}
		case *appsv1.DaemonSet:
			wrong = append(wrong, fmt.Errorf("manifest %d: KubeEdge binds Deployments to a node group, and no %s", index, kind.Kind))
		}
	}
	for _, group := range application.Spec.WorkloadScope.TargetNodeGroups {
		for _, name := range overridden(group.Overriders) {
			if !containers.Has(name) {
				wrong = append(wrong, fmt.Errorf("node group %s overrides %s, which is no container", group.Name, name))
			}
		}
	}
	return errors.Join(wrong...)
}

func overridden(overriders edgeappsv1alpha1.Overriders) []string {
	var names []string
	for _, overrider := range overriders.EnvOverriders {
		names = append(names, overrider.ContainerName)
	}
	for _, overrider := range append(overriders.CommandOverriders, overriders.ArgsOverriders...) {
		names = append(names, overrider.ContainerName)
	}
	for _, overrider := range overriders.ResourcesOverriders {
		names = append(names, overrider.ContainerName)
	}
	return names
}
