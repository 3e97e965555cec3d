// Carries the precompiled header that rooms on LibTorch share.
