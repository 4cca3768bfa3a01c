"""The Keras helper process of user interfaces: ``python -m cnnblocks.engine``.

It answers over stdin and stdout what needs Keras, so that a user interface never imports it. The
protocol is described in `cnnblocks.engine.server`, the methods in the modules beside it.
"""
