package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	edgeappsv1alpha1 "github.com/kubeedge/api/apis/apps/v1alpha1"
	devicesv1beta1 "github.com/kubeedge/api/apis/devices/v1beta1"
	operationsv1alpha1 "github.com/kubeedge/api/apis/operations/v1alpha1"
)

// A document as it was written.
type document map[string]any

// Knows the kinds that a mapper is deployed with, and refuses unknown and repeated keys.
type checker struct {
	decoder runtime.Decoder
	schemas schemas
}

func newChecker() (*checker, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, corev1.AddToScheme,
		edgeappsv1alpha1.AddToScheme, devicesv1beta1.AddToScheme, operationsv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	schemas, err := readSchemas()
	options := json.SerializerOptions{Yaml: true, Strict: true}
	return &checker{json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, options), schemas}, err
}

// Checks all documents, and gives them as they were written. All that is wrong is told at once.
func checkDocuments(files []file) ([]document, error) {
	checker, err := newChecker()
	if err != nil {
		return nil, err
	}
	var documents []document
	var wrong []error
	for _, file := range files {
		texts, err := split(file.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.name, err)
		}
		for _, text := range texts {
			document, err := checker.check(text)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", file.name, err))
			}
			documents = append(documents, document)
		}
	}
	return documents, errors.Join(wrong...)
}

// The documents of a text, without those that hold comments only.
func split(text string) ([][]byte, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		var content any
		if err := sigsyaml.Unmarshal(document, &content); err != nil {
			return nil, err
		}
		if content != nil {
			documents = append(documents, bytes.TrimSpace(document))
		}
	}
}

func (c *checker) check(text []byte) (document, error) {
	var written document
	if err := sigsyaml.Unmarshal(text, &written); err != nil {
		return nil, err
	}
	object, kind, err := c.decoder.Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	if err := c.schemas.check(*kind, written); err != nil {
		return nil, fmt.Errorf("%s: %w", kind.Kind, err)
	}
	if err := c.checkObject(object); err != nil {
		return nil, fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return written, nil
}

// What the types cannot say.
func (c *checker) checkObject(object runtime.Object) error {
	switch object := object.(type) {
	case *appsv1.DaemonSet:
		return checkWorkload(object.Spec.Selector, &object.Spec.Template)
	case *appsv1.Deployment:
		return checkWorkload(object.Spec.Selector, &object.Spec.Template)
	case *edgeappsv1alpha1.EdgeApplication:
		return c.checkEdgeApplication(object)
	default:
		return nil
	}
}
