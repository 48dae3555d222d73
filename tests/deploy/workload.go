package main

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Checks what the API server refuses beyond unknown keys and wrong types.
func checkWorkload(selector *metav1.LabelSelector, pod *corev1.PodTemplateSpec) error {
	var wrong []error
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return err
	}
	if matcher.Empty() || !matcher.Matches(labels.Set(pod.Labels)) {
		wrong = append(wrong, fmt.Errorf("the selector %q does not match the pod's labels", matcher))
	}
	for name, value := range pod.Labels {
		for _, problem := range append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...) {
			wrong = append(wrong, fmt.Errorf("label %s=%s: %s", name, value, problem))
		}
	}
	volumes := sets.New[string]()
	for _, volume := range pod.Spec.Volumes {
		if volumes.Has(volume.Name) {
			wrong = append(wrong, fmt.Errorf("there are two volumes %s", volume.Name))
		}
		volumes.Insert(volume.Name)
	}
	for _, container := range pod.Spec.Containers {
		wrong = append(wrong, checkContainer(container, volumes)...)
	}
	return errors.Join(wrong...)
}

func checkContainer(container corev1.Container, volumes sets.Set[string]) []error {
	var wrong []error
	paths := sets.New[string]()
	for _, mount := range container.VolumeMounts {
		if !volumes.Has(mount.Name) {
			wrong = append(wrong, fmt.Errorf("container %s mounts %s, which is no volume", container.Name, mount.Name))
		}
		if paths.Has(mount.MountPath) {
			wrong = append(wrong, fmt.Errorf("container %s mounts two volumes at %s", container.Name, mount.MountPath))
		}
		paths.Insert(mount.MountPath)
	}
	if given := container.SecurityContext; given != nil && isTrue(given.Privileged) && isFalse(given.AllowPrivilegeEscalation) {
		wrong = append(wrong, fmt.Errorf("container %s is privileged and may not escalate, which Kubernetes refuses", container.Name))
	}
	return wrong
}

func isTrue(given *bool) bool  { return given != nil && *given }
func isFalse(given *bool) bool { return given != nil && !*given }
