// Package quipu is the Go client of Quipu, the memory service.
//
//	client, err := quipu.Connect(quipu.DefaultAddress, quipu.WithSpace("ann"))
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
//	_, err = client.Add(ctx, "We adopted a cat. Her name is Miso.", nil)
//	…
//	for hit, err := range client.Search(ctx, "Which animal lives with Ann?", nil).Hits() {
//		if err != nil {
//			return err
//		}
//		fmt.Println(hit.GetScore(), hit.GetMemory().GetContent())
//	}
//
// Options are structs; nil stands for all defaults. A space, a memory or a model is given as its id or its full name.
// Results are the messages of package quipuv1. Every error of a call is an *Error.
//
// A call ends with its context. A context without a deadline gets that of WithTimeout, retries included.
package quipu
