"""The factory: fine-tunes pretrained backbones and writes bundles. It never imports the serving half."""
