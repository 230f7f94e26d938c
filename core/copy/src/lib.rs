//! The copy engine: planning and COPY pipes.
